/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Application threads: jobs go in from the loop thread, run on one of the threads, and come back to
 * the loop thread.
 *
 * Jobs start in the order of their submission, except that a lane never has more running than it
 * allows: those behind a full lane that belong to another one overtake.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"

struct pool;

/* What limits how many jobs of one kind run at once: an application. Guarded by the pool. */
struct lane {
        unsigned limit; /* 1 or more */
        unsigned running;
};

/* One piece of work. Owned by whoever submits it; the pool's between pool_submit() and
 * pool_collect(). */
struct job {
        struct job *next;
        struct job **link; /* what points to it while it waits; NULL: it does not */
        struct job *next_with_news;
        bool has_news;
        uint64_t submitted; /* now_usec() then */
        struct lane *lane;
        void (*run)(struct job *job); /* on an application thread; may block */
};

/**
 * pool_new() - start the threads; they inherit the signal mask of the caller
 * @ret:  the pool; ended with pool_free(). Untouched on failure.
 * @slot: where the numbers of busy threads and of waiting jobs are kept up; borrowed
 *
 * Return: 0, or a negative errno.
 */
int pool_new(struct pool **ret, unsigned threads, struct board_slot *slot);

/** pool_free() - end the threads and wait for them; no job may be in the pool. Accepts NULL. */
void pool_free(struct pool *pool);

/** pool_submit() - hand a job over; never blocks. Loop thread. */
void pool_submit(struct pool *pool, struct job *job);

/** pool_withdraw() - take a job back unless it has begun. Return: whether it had not. Loop thread.
 */
bool pool_withdraw(struct pool *pool, struct job *job);

/**
 * pool_late() - take back the job that has waited longest
 * @since: only if it was submitted before
 *
 * Return: the job; NULL: none waits so long. Loop thread.
 */
struct job *pool_late(struct pool *pool, uint64_t since);

/** pool_oldest_usec() - since when the job that has waited longest does; USEC_NEVER: none waits. */
uint64_t pool_oldest_usec(struct pool *pool);

/** pool_report() - there is news of a job that runs; never blocks. Any thread. */
void pool_report(struct pool *pool, struct job *job);

/**
 * pool_collect() - what has happened since the last call
 * @ret_news: jobs that were reported, linked by next_with_news; those that have finished since may
 *            be among them
 *
 * Return: the jobs that have finished, linked by next, oldest first; NULL: none. Loop thread.
 */
struct job *pool_collect(struct pool *pool, struct job **ret_news);

/** pool_fd() - readable when pool_collect() has something to give. */
int pool_fd(const struct pool *pool);
