/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a thread is that takes too long: it is sent SIGURG, and tells its own stack.
 *
 * The native one is written by a handler here; a handler that the runtime of a language had before
 * is called by it, and writes its own view to a descriptor that it was given for that. One thread
 * at a time. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum stack_kind {
        STACK_NATIVE,
        STACK_RUNTIME, /* as the runtime of a language sees it */
        STACK_KINDS
};

/** stacks_open() - once in a process, before applications are loaded. Return: the descriptor for
 * runtimes, or a negative errno. */
int stacks_open(void);

/** stacks_watch() - take SIGURG, when applications have taken it. Return: 0, or a negative errno.
 */
int stacks_watch(void);

/** stacks_ask() - let @thread of this process tell. What was told before is forgotten. Return:
 * whether it was asked. */
bool stacks_ask(pid_t thread);

/** stacks_told() - whether it has. */
bool stacks_told(void);

/** stacks_read() - what it told; NUL-terminated, without the newline at the end. Return: the
 * length. */
size_t stacks_read(enum stack_kind kind, char *text, size_t room);
