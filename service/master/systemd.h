/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the master tells systemd, by sd_notify(3). Without a NOTIFY_SOCKET all of it does nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MANAGER_STATUS_MAX 512

struct manager {
        char status[MANAGER_STATUS_MAX]; /* told last */
};

void manager_ready(struct manager *manager, const char *status);
void manager_stopping(struct manager *manager, const char *status);

/** manager_reloading() - a reload begins now; manager_ready() ends it, however it went. */
void manager_reloading(struct manager *manager);

/** manager_status() - one line for `systemctl status`; told only when it changed. */
void manager_status(struct manager *manager, const char *status);

/** manager_extend() - this start, reload or stop may take @usec from now on, whatever the unit
 * says. */
void manager_extend(uint64_t usec);

/** manager_failed() - why the service ends: for `systemctl status`. */
void manager_failed(int error, const char *status);

/** manager_watchdog_usec() - how often manager_beat() must come; 0: never. Asks the environment. */
uint64_t manager_watchdog_usec(void);
void manager_beat(void);

/** manager_keep() - let systemd hold a copy of @fd under @name, which outlives us. Return: whether
 * there is a systemd to do so. */
bool manager_keep(const char *name, int fd);

/** manager_drop() - it is not needed any more. */
void manager_drop(const char *name);
