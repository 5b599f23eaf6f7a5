/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads of a worker. One of them leads: it turns the loop and submits jobs. The others run
 * jobs, and give them back to the loop.
 *
 * Jobs start in the order of their submission, except that a lane never has more running than it
 * allows, and that one seat is kept for those that do not take long (see seats.h): those behind
 * one that has to wait for either overtake it.
 *
 * Waking a thread for a job costs about 10 us. Those of a lane whose jobs are short the leader runs
 * itself, between two turns of the loop, while another thread stands by: when such a job takes
 * longer than usual, that one leads from there on, and who ran the job is a thread like the others.
 * So no job stops the loop for more than 2.5 ms, nor for more than 1 ms in the second after a long
 * one has ended. Jobs of such a lane are held for up to 2 ms while one has taken longer
 * (see lane.c). With one thread for jobs it is always the same that runs them: applications that
 * ask for one may count on that.
 *
 * "Loop thread" means whoever leads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"
#include "worker/job.h"
#include "worker/lane.h"

struct pool;

/* What the leader does. */
struct pool_loop {
        void (*lead)(void *data); /* the calling thread leads from now on */
        bool (*turn)(void *data); /* one turn. Return: whether another one is to follow */
        void *data;
};

/**
 * pool_new() - start the threads; they inherit the signal mask of the caller
 * @ret:     the pool; ended with pool_free(). Untouched on failure.
 * @threads: how many jobs run at once; there is one more thread, for the loop
 * @slot:    where the numbers of busy threads and of waiting jobs are kept up; borrowed
 *
 * Return: 0, or a negative errno.
 */
int pool_new(struct pool **ret, unsigned threads, struct board_slot *slot);

/**
 * pool_lead() - let the threads turn a loop, one of them at a time; returns after its last turn
 *
 * Jobs may still be running then. Once only.
 */
void pool_lead(struct pool *pool, const struct pool_loop *loop);

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

/** pool_fd() - readable when pool_collect() has something to give that another thread has done. */
int pool_fd(const struct pool *pool);

/** pool_has_finished() - whether pool_collect() has a job to give that the leader has run. Loop
 * thread. */
bool pool_has_finished(const struct pool *pool);

/** pool_wake_usec() - when jobs that are held are to be looked at, by a turn; USEC_NEVER: none is.
 * Loop thread. */
uint64_t pool_wake_usec(const struct pool *pool);
