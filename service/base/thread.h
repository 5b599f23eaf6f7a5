/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread. */
#pragma once

#include <sys/types.h>
#include <unistd.h>

/** own_thread() - gettid(2), asked for once in each thread; not for children of fork(). */
static inline pid_t own_thread(void)
{
        static _Thread_local pid_t id;

        if (id == 0)
                id = gettid();
        return id;
}
