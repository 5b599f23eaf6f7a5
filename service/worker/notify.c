/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's end of the notify socket. The kernel adds the sender's pid (SO_PASSCRED is set on
 * the master's end). */
#include "worker/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/wear.h"

/* A beat lost in a full queue must not be a missed one: the master waits for three, and one that
 * finds the queue full is tried again soon. */
#define BEATS_PER_WATCHDOG 3
#define BEAT_RETRY_USEC    (20 * USEC_PER_MSEC)

int notify_open(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -1;
        size_t size = strlen(path);

        if (size >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, size + 1);

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int notify_send(int fd, const char *message)
{
        return send(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int notify_beat(int fd, bool draining, const struct wear *wear)
{
        char message[128];
        int n = snprintf(message, sizeof(message), "%s\nWATCHDOG=1",
                         draining ? "STOPPING=1" : "READY=1");

        if (wear->reason != WEAR_NONE)
                (void)snprintf(message + n, sizeof(message) - (size_t)n,
                               "\nX_APPSRV_WORN=%s %" PRIu64, wear_reason_name(wear->reason),
                               wear->memory);
        return notify_send(fd, message);
}

uint64_t notify_next_beat(int r, uint64_t now, uint64_t watchdog)
{
        return now + (r == -EAGAIN ? BEAT_RETRY_USEC : watchdog / BEATS_PER_WATCHDOG);
}
