/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lane: the jobs of one kind, an application's. How many of them run at once, and whether they
 * are short. Guarded by the pool. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long one is not taken for short after it was seen not to be. */
#define LANE_SLOW_USEC UINT64_C(250000)

struct lane {
        unsigned limit; /* 1 or more */
        unsigned running;
        unsigned score;      /* of long jobs among those that the leader runs */
        uint64_t slow_until; /* now_usec() then; not short before */
};

/** lane_has_room() - whether another job may run. */
bool lane_has_room(const struct lane *lane);

/** lane_is_short() - whether the leader may run its jobs. */
bool lane_is_short(const struct lane *lane, uint64_t now);

/** lane_took() - the leader has run a job in @usec. */
void lane_took(struct lane *lane, uint64_t usec, uint64_t now);

/** lane_overran() - a job took so long that another thread has to lead. */
void lane_overran(struct lane *lane, uint64_t now);
