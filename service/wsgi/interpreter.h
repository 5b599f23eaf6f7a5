/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one Python of the process: its life, and the threads of the server in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wsgi/python.h"

/* Of a text that says why something failed. */
#define WHY_MAX 400

/**
 * interpreter_use() - begin one, or use the one that is there
 * @virtualenv: folder of a virtual environment; NULL: the distribution's own Python
 * @why:        on failure, the reason
 *
 * Expects the thread that will call interpreter_release(), always the same. On success it has the
 * GIL. Return: 0; -EINVAL when another application of the process needs another environment, or a
 * negative errno.
 */
int interpreter_use(const char *virtualenv, char why[static WHY_MAX]);

/** interpreter_release() - the last one ends the application: waits for its threads that are no
 * daemons and runs what was registered with atexit. Without the GIL. */
void interpreter_release(void);

/** interpreter_fork() - around each fork of a worker from the process that has loaded the
 * applications, for each of them; @when: APPSRV_FORK_*. Return: 0, or a negative errno. */
int interpreter_fork(int when);

/** interpreter_is_forked() - whether the fork that is going on is the server's. */
bool interpreter_is_forked(void);

/** interpreter_enter() - take the GIL, in any thread of the server. Return: 0, or -ENOMEM. */
int interpreter_enter(void);

/** interpreter_entries() - how often that was done. Any thread, without the GIL as well. */
unsigned interpreter_entries(void);

/** interpreter_leave() - the counterpart; from it on the thread does nothing with Python. */
void interpreter_leave(void);
