/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process of a program: begun, ended and waited for, in a process group of its own; and with it
 * all that descends from it, wherever that went. It has none of the worker's descriptors, signal
 * handlers or blocked signals, and the kernel kills it when the worker dies. Each child belongs to
 * the application thread that started it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/cgi_settings.h"

/* Bytes of stack that cgi_child_start() needs. */
#define CGI_STACK_SIZE ((size_t)64 << 10)

struct cgi_command {
        const char *file; /* what is executed */
        char *const *arguments;
        char *const *variables;
        const char *directory;
        bool session;           /* it gets one of its own, too: without a terminal */
        int streams[3];         /* standard input, output and error; none of them below 3 */
        int watch;              /* of strays_watch() */
        _Atomic int32_t *noted; /* gets its pid before it is executed; or NULL */
        const struct cgi_settings *settings;
};

struct cgi_child {
        pid_t pid; /* process group, and mark of all that it starts (base/strays.h) */
        int fd;    /* readable when it has ended */
        int watch; /* the command's */
};

/**
 * cgi_child_start() - begin it
 * @ret:   waited for with cgi_child_reap(); untouched on failure
 * @stack: CGI_STACK_SIZE bytes, free again when this returns
 *
 * Return: 0, or what clone() or exec() say.
 */
int cgi_child_start(struct cgi_child *ret, const struct cgi_command *command, void *stack);

/** cgi_child_signal() - send a signal to it and its group, before it is waited for. */
void cgi_child_signal(const struct cgi_child *child, int number);

/**
 * cgi_child_reap() - wait for it, and kill what it has left behind
 * @ended:  whether it is known to have ended; else it is killed, too
 * @spared: whether that may go on which has left its group
 *
 * Return: its status as of waitpid(2).
 */
int cgi_child_reap(struct cgi_child *child, bool ended, bool spared);
