/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seats: so many jobs run at once. Those that take long do not get the last one as long as there
 * are others: a crowd that asks for what takes long would have all of them, one after the other,
 * and what is done in a moment would wait behind it.
 *
 * Guarded by the pool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/habit.h"
#include "worker/job.h"

/* How long the last seat is kept for a job that does not take long, after one has begun. */
#define SEATS_KEPT_USEC UINT64_C(100000)

struct seats {
        struct job_list running;
        unsigned n; /* of them */
        unsigned n_max;
        unsigned n_short_waiting;
        uint64_t kept_until; /* now_usec() then */
};

enum seats_room {
        SEATS_NONE,
        SEATS_FOR_SHORT, /* for those alone that are not likely to take long */
        SEATS_FOR_ALL,
};

/** seats_init() - all are free. */
void seats_init(struct seats *seats, unsigned n);

/** seats_await() - a job waits. */
void seats_await(struct seats *seats, struct job *job);

/** seats_forget() - it waits no more. */
void seats_forget(struct seats *seats, struct job *job);

/** seats_room() - for which jobs there is a seat at @now. */
enum seats_room seats_room(const struct seats *seats, uint64_t now);

/** seats_enter() - it runs. */
void seats_enter(struct seats *seats, struct job *job);

/** seats_leave() - it has run, for so long. */
void seats_leave(struct seats *seats, struct job *job, uint64_t took);

/** seats_wake_usec() - when the last one is free for all; USEC_NEVER: it is, or none is free. */
uint64_t seats_wake_usec(const struct seats *seats, uint64_t now);

/** job_is_long() - whether it is likely to take long. */
bool job_is_long(const struct job *job);
