/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All processes that descend from one, also those that left its group and session and lost their
 * parents.
 *
 * A process is marked before it executes its program. Its children inherit the mark, and none gets
 * rid of it without privilege: it is a lowered hard limit, that of RLIMIT_LOCKS, at which no kernel
 * since Linux 2.4 has looked. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/** strays_mark() - what the hard limit of @pid and its descendants is to be instead of @own. */
static inline rlim_t strays_mark(rlim_t own, pid_t pid)
{
        return own > (rlim_t)pid ? own - (rlim_t)pid : own;
}

/**
 * strays_watch() - watch the children of @reaper, who takes in all that lose their parents
 *
 * Return: a descriptor for strays_seen(), the caller closes it; negative: it has to do without.
 */
int strays_watch(pid_t reaper);

/** strays_seen() - whether descendants of @pid, which has ended and was not waited for, may have
 * stayed. */
bool strays_seen(int watch, pid_t pid);

/** strays_kill() - kill all that were marked with one of the @n @pids: it may take some
 * milliseconds. */
void strays_kill(const pid_t *pids, size_t n);
