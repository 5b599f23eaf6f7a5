/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lane: the jobs of one kind, an application's. How many of them run at once, and whether they
 * are short. Guarded by the pool. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long one is not taken for short after it was seen not to be. */
#define LANE_SLOW_USEC UINT64_C(250000)

/* How long one is held at most. */
#define LANE_HOLD_USEC UINT64_C(2000)

struct lane {
        unsigned limit; /* 1 or more */
        unsigned running;
        unsigned score;      /* of long jobs among those that the leader runs */
        uint64_t slow_until; /* now_usec() then; 0: it is not */
        uint64_t hold_until; /* now_usec() then; it ends when none runs any more, too */
        bool settles;        /* held in order to find out whether it is short again */
};

enum lane_pace {
        LANE_SHORT, /* its jobs are for the leader */
        LANE_SLOW,  /* they are for other threads */
        LANE_HELD,  /* none is to start */
};

/** lane_has_room() - whether another job may run. */
bool lane_has_room(const struct lane *lane);

/** lane_pace() - what is to be done with its jobs at @now. */
enum lane_pace lane_pace(struct lane *lane, uint64_t now);

/** lane_is_long() - whether a job that takes @usec is one for another thread. */
bool lane_is_long(uint64_t usec);

/** lane_took() - the leader has run a job in @usec, during which the kernel has not kept it from
 * running. */
void lane_took(struct lane *lane, uint64_t usec, uint64_t now);

/** lane_outlasts() - a job takes so long that another thread leads from @now on. */
void lane_outlasts(struct lane *lane, uint64_t now);

/** lane_excuse() - such a job has ended, and the kernel had only kept it from running. */
void lane_excuse(struct lane *lane);
