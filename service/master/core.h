/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the core of a process lies that the kernel has dumped: core(5). The kernel, or systemd's
 * own handler, keeps it; here it is only named.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CORE_NAME_MAX 512

/* What is known of a dump, and of how this machine makes them. */
struct core_facts {
        pid_t pid;
        int signal;
        const char *pattern; /* of the kernel; NULL: it may not be read here */
        bool uses_pid;       /* a name without the pid is given it */
        bool systemd;        /* systemd-coredump waits on its socket */
        const char *folder;  /* in which the process probably was */
};

/** core_name() - what somebody types to look at it, or its path; "": nothing is known. A relative
 * path: whether it is there could not be seen. */
void core_name(char name[static CORE_NAME_MAX], const struct core_facts *facts);

/** core_find() - the same with what this machine says of itself. */
void core_find(char name[static CORE_NAME_MAX], pid_t pid, int signal);
