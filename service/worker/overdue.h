/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests whose applications took too long, until the event that tells of each is written: it has
 * the stack of the thread, which that tells itself, and a moment later. Loop thread.
 */
#pragma once

#include <stdint.h>

struct overdue;
struct transaction;

enum overdue_cause {
        OVERDUE_SLOW,   /* it was beyond its limit */
        OVERDUE_HUNG,   /* its application hangs as a whole */
        OVERDUE_AT_END, /* of the worker */
};

/* Those that wait for the event, oldest first. */
struct overdues {
        struct overdue *first;
        uint64_t patience_end; /* how long the first one is waited for; 0: it was not asked yet */
};

/** overdues_add() - one more; it had @usec microseconds. */
void overdues_add(struct overdues *overdues, const struct transaction *transaction,
                  enum overdue_cause cause, uint64_t usec);

struct service;

/** overdues_turn() - write the events that can be written. */
void overdues_turn(struct service *service, uint64_t now);

/** overdues_wake_usec() - when overdues_turn() has something to do; USEC_NEVER: nothing. */
uint64_t overdues_wake_usec(const struct overdues *overdues, uint64_t now);

/** overdues_cut() - the worker ends though the application is not done with a request: tell where
 * it is, after overdues_finish(). Accepts NULL, and one that was told of. */
void overdues_cut(struct service *service, const struct transaction *transaction);

/** overdues_finish() - write all of them, with what is known by now. */
void overdues_finish(struct service *service);
