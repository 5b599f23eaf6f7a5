/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

extern _Thread_local pid_t own_thread_id; /* 0: not asked for yet */

/** own_thread() - gettid(2), asked for once in each thread; not for children of fork(), unless they
 * call own_thread_forget(). */
static inline pid_t own_thread(void)
{
        if (own_thread_id == 0)
                own_thread_id = gettid();
        return own_thread_id;
}

static inline void own_thread_forget(void)
{
        own_thread_id = 0;
}

/** thread_usec_of() - for how long the thread has run whose clock this is
 * (pthread_getcpuclockid(3), while the thread is there). */
static inline uint64_t thread_usec_of(clockid_t clock)
{
        struct timespec ran = {0};

        (void)clock_gettime(clock, &ran);
        return (uint64_t)ran.tv_sec * 1000000 + (uint64_t)ran.tv_nsec / 1000;
}

/** thread_usec() - for how long the calling thread has run; a system call of 0.2 us. What
 * getrusage(2) has of it is some milliseconds old. */
static inline uint64_t thread_usec(void)
{
        return thread_usec_of(CLOCK_THREAD_CPUTIME_ID);
}

/* How often a thread stopped running so far. */
struct thread_switches {
        long waited;    /* because it had to wait for something */
        long preempted; /* because the kernel ran another one */
};

/** thread_switches() - of the calling thread; a system call of 0.2 us. */
static inline struct thread_switches thread_switches(void)
{
        struct rusage usage = {0};

        (void)getrusage(RUSAGE_THREAD, &usage);
        return (struct thread_switches){.waited = usage.ru_nvcsw, .preempted = usage.ru_nivcsw};
}

/** thread_was_only_preempted() - whether the time since @since, which is brought up to date, went
 * by because the kernel ran others, for all that can be seen. */
static inline bool thread_was_only_preempted(struct thread_switches *since)
{
        struct thread_switches before = *since;

        *since = thread_switches();
        return since->waited == before.waited && since->preempted != before.preempted;
}
