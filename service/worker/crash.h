/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker's last instructions: when a fatal signal hits it, which one, where and on what stack
 * goes into its black box, and then it dies of that signal as it would have anyway, with its core
 * file.
 */
#pragma once

#include "board/box.h"

/** crash_watch() - from now on, in this process; once more in a worker that a template forked. @box
 * must live as long as the process. Return: 0, or a negative errno. */
int crash_watch(struct box *box);

/** crash_about_me() - a signal that another process sends is about the calling thread from now on:
 * its stack is the one to tell. */
void crash_about_me(void);

/** crash_guard_thread() - give the calling thread a stack of its own for the handler, so that the
 * overflow of its own is told, too. Return: what crash_unguard_thread() takes; NULL: without one.
 */
void *crash_guard_thread(void);
void crash_unguard_thread(void *guard);
