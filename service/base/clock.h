/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time as unsigned microseconds, the unit of every duration in appsrv. Any thread. */
#pragma once

#include <stdint.h>
#include <time.h>

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define NSEC_PER_USEC UINT64_C(1000)
#define USEC_NEVER    UINT64_MAX

/** now_usec() - CLOCK_MONOTONIC, the clock that systemd's MONOTONIC_USEC= means; never fails. */
static inline uint64_t now_usec(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/** realtime_usec() - CLOCK_REALTIME, the clock of the journal's timestamps. */
static inline uint64_t realtime_usec(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}
