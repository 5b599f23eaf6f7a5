/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the kernel's out-of-memory killer ended a process of ours.
 *
 * It kills by SIGKILL as anybody does, but counts in the control group of the service; the count
 * goes up before the process dies.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OOM_PATH_MAX 512

/* What is counted and never claimed (a child of a worker was killed, not a worker) is forgotten
 * after so long: who dies of memory may take a while to be gone. */
#define OOM_PATIENCE_USEC ((uint64_t)30000000)

struct oom {
        char path[OOM_PATH_MAX]; /* of the file with the count; "": there is none */
        uint64_t claimed;        /* kills that are accounted for */
        uint64_t counted;        /* at the last look */
        uint64_t counted_usec;   /* when that changed */
};

/** oom_begin() - from now on. @groups: the text of /proc/self/cgroup; @root: where control groups
 * are mounted. */
void oom_begin(struct oom *oom, const char *groups, const char *root, uint64_t now);

/** oom_begin_self() - the same for the calling process. */
void oom_begin_self(struct oom *oom);

/** oom_turn() - now and then. */
void oom_turn(struct oom *oom, uint64_t now);

/** oom_claim() - a process has died of a SIGKILL that we did not send. Return: whether it was the
 * kernel's, for want of memory. */
bool oom_claim(struct oom *oom, uint64_t now);
