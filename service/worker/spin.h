/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A loop that spins, and its pauses. libmicrohttpd 0.9.75 can ask for one turn after another
 * without anything to do (a chunk-size line larger than its buffer). After so many idle turns the
 * loop pauses a little instead of burning a core until that connection's deadline, and again after
 * a few more; a download whose client reads as fast as it is sent looks the same, and still gets
 * tens of MB a second.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SPIN_TURNS_MAX   50
#define SPIN_TURNS_AGAIN 2
#define SPIN_PAUSE       (5 * USEC_PER_MSEC)

struct spin {
        unsigned idle_turns;
};

static inline bool spin_is(const struct spin *spin)
{
        return spin->idle_turns > SPIN_TURNS_MAX;
}

/** spin_count() - a turn has ended
 * @n:       what it had to do beside the library's own wishes
 * @timeout: when the library wanted it at the latest */
static inline void spin_count(struct spin *spin, int n, uint64_t timeout)
{
        if (timeout >= SPIN_PAUSE)
                spin->idle_turns = 0;
        else if (n == 0 && !spin_is(spin))
                spin->idle_turns++;
        else if (spin->idle_turns > SPIN_TURNS_MAX - SPIN_TURNS_AGAIN)
                spin->idle_turns = SPIN_TURNS_MAX - SPIN_TURNS_AGAIN;
}

/** spin_pause() - how long the loop may wait when the library wants it to for @timeout. */
static inline uint64_t spin_pause(const struct spin *spin, uint64_t timeout)
{
        return spin_is(spin) && timeout < SPIN_PAUSE ? SPIN_PAUSE : timeout;
}
