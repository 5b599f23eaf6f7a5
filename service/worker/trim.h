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
        uint64_t next; /* not before; put off while they are many */
};

/** trim_turn() - there are so many connections now. */
void trim_turn(struct trim *trim, unsigned connections, uint64_t now);
