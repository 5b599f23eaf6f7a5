/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify(3) messages. A failure to tell systemd cannot be told to anybody, so results are
 * ignored. */
#include "master/systemd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/utf8.h"

/* One line of UTF-8: systemd ignores a status that is none, and after a newline would follow
 * another message. @to has room for MANAGER_STATUS_MAX. */
static void clean(char *to, const char *status)
{
        size_t size = strnlen(status, MANAGER_STATUS_MAX - 1);

        for (size_t i = 0, n; i < size; i += n) {
                n = utf8_size(status + i, size - i);
                if (n == 0 || (unsigned char)status[i] < ' ' || status[i] == 0x7f) {
                        n = 1;
                        to[i] = '?';
                } else {
                        memcpy(to + i, status + i, n);
                }
        }
        to[size] = '\0';
}

/* WATCHDOG=1 comes along: the first beat must not wait for the first half of the interval (puma
 * issue 3675). */
void manager_ready(struct manager *manager, const char *status)
{
        clean(manager->status, status);
        (void)sd_notifyf(0, "READY=1\nSTATUS=%s\nWATCHDOG=1", manager->status);
}

void manager_stopping(struct manager *manager, const char *status)
{
        clean(manager->status, status);
        (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", manager->status);
}

/* Type=notify-reload (253) takes RELOADING=1 only with the time of it in the same message. */
void manager_reloading(struct manager *manager)
{
        clean(manager->status, "reloading");
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
                         now_usec());
}

void manager_status(struct manager *manager, const char *status)
{
        char line[MANAGER_STATUS_MAX];

        clean(line, status);
        if (strcmp(manager->status, line) == 0)
                return;
        memcpy(manager->status, line, sizeof(line));
        (void)sd_notifyf(0, "STATUS=%s", manager->status);
}

void manager_extend(uint64_t usec)
{
        (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec);
}

void manager_failed(int error, const char *status)
{
        char line[MANAGER_STATUS_MAX];

        clean(line, status);
        (void)sd_notifyf(0, "ERRNO=%d\nSTATUS=%s", error, line);
}

uint64_t manager_watchdog_usec(void)
{
        uint64_t usec = 0;

        return sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
}

void manager_beat(void)
{
        (void)sd_notify(0, "WATCHDOG=1");
}

/* FDPOLL=0: a memfd is always ready, which systemd would take for the end of it. */
bool manager_keep(const char *name, int fd)
{
        char state[128];

        (void)snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        return sd_pid_notify_with_fds(0, 0, state, &fd, 1) > 0;
}

void manager_drop(const char *name)
{
        (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
