/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory given back to the system after a crowd has left. The leading thread changes, and the C
 * library keeps what each of them has freed for that thread: without this a worker may in time keep
 * the memory of as many crowds as it has threads. Loop thread.
 */
#pragma once

#include <stdint.h>

struct trim {
        unsigned most; /* connections since the last time */
        uint64_t due;  /* now_usec() when memory is given back; 0: nothing is to be */
};

/** trim_init() - what trim_turn() needs of the C library; before there are other threads. */
void trim_init(void);

/** trim_turn() - there are so many connections now. */
void trim_turn(struct trim *trim, unsigned connections, uint64_t now);

/** trim_wake_usec() - when trim_turn() has something to do, even if nothing happens. */
uint64_t trim_wake_usec(const struct trim *trim);
