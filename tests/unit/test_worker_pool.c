/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The application threads: order, lanes, the way back, the counters. */
#include "worker/pool.h"

#include <assert.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

enum { MANY = 1000 };

/* A job that waits at a gate, so that a test decides when it ends. */
struct gated_job {
        struct job job;
        struct gate *gate;
        unsigned order; /* in which it ran, from 1 */
};

struct gate {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool open;
        unsigned inside;
        unsigned most_inside;
        unsigned ran;
};

static struct gate gate_new(bool open)
{
        return (struct gate){.mutex = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER,
                             .open = open};
}

static void run(struct job *job)
{
        struct gated_job *gated = (struct gated_job *)job;
        struct gate *gate = gated->gate;

        pthread_mutex_lock(&gate->mutex);
        gate->inside++;
        if (gate->inside > gate->most_inside)
                gate->most_inside = gate->inside;
        gated->order = ++gate->ran;
        pthread_cond_broadcast(&gate->changed);
        while (!gate->open)
                pthread_cond_wait(&gate->changed, &gate->mutex);
        gate->inside--;
        pthread_mutex_unlock(&gate->mutex);
}

static void wait_inside(struct gate *gate, unsigned n)
{
        pthread_mutex_lock(&gate->mutex);
        while (gate->inside < n)
                pthread_cond_wait(&gate->changed, &gate->mutex);
        pthread_mutex_unlock(&gate->mutex);
}

static void open_gate(struct gate *gate)
{
        pthread_mutex_lock(&gate->mutex);
        gate->open = true;
        pthread_cond_broadcast(&gate->changed);
        pthread_mutex_unlock(&gate->mutex);
}

/* Wait for @n jobs to come back. */
static void collect(struct pool *pool, unsigned n)
{
        struct job *news;

        while (n > 0) {
                struct pollfd fd = {.fd = pool_fd(pool), .events = POLLIN};

                assert(poll(&fd, 1, 10000) == 1);
                for (struct job *job = pool_collect(pool, &news); job; job = job->next) {
                        assert(n > 0);
                        n--;
                }
        }
        assert(!pool_collect(pool, &news) && !news);
}

static void test_jobs_run_in_order_and_all_come_back(void)
{
        static struct board_slot
                slot; /* not on the stack: gcc 12's fake stack aligns to 32 bytes only */
        struct lane lane = {.limit = 100};
        struct gate gate = gate_new(true);
        static struct gated_job jobs[MANY];
        struct pool *pool = NULL;

        assert(pool_new(&pool, 1, &slot) == 0);
        for (unsigned i = 0; i < MANY; i++) {
                jobs[i] = (struct gated_job){.job = {.lane = &lane, .run = run}, .gate = &gate};
                pool_submit(pool, &jobs[i].job);
        }
        collect(pool, MANY);
        for (unsigned i = 0; i < MANY; i++)
                assert(jobs[i].order == i + 1);
        assert(atomic_load(&slot.busy) == 0 && atomic_load(&slot.queued) == 0);
        pool_free(pool);
}

static void test_full_lane_is_overtaken_and_never_exceeded(void)
{
        static struct board_slot
                slot; /* not on the stack: gcc 12's fake stack aligns to 32 bytes only */
        struct lane serial = {.limit = 1}, wide = {.limit = 100};
        struct gate serial_gate = gate_new(false), wide_gate = gate_new(false);
        struct gated_job jobs[4];
        struct pool *pool = NULL;

        for (unsigned i = 0; i < 4; i++)
                jobs[i] = (struct gated_job){.job = {.lane = &serial, .run = run},
                                             .gate = &serial_gate};
        jobs[3].job.lane = &wide;
        jobs[3].gate = &wide_gate;

        assert(pool_new(&pool, 3, &slot) == 0);
        for (unsigned i = 0; i < 4; i++)
                pool_submit(pool, &jobs[i].job);
        wait_inside(&serial_gate, 1);
        wait_inside(&wide_gate, 1);
        assert(atomic_load(&slot.busy) == 2);
        assert(atomic_load(&slot.queued) == 2);

        open_gate(&serial_gate);
        open_gate(&wide_gate);
        collect(pool, 4);
        assert(serial_gate.most_inside == 1);
        assert(jobs[0].order == 1 && jobs[1].order == 2 && jobs[2].order == 3);
        assert(serial.running == 0 && wide.running == 0);
        pool_free(pool);
}

static void test_news_of_a_job_comes_once_until_it_is_collected(void)
{
        static struct board_slot slot;
        struct lane lane = {.limit = 2};
        struct gate gate = gate_new(false);
        struct gated_job jobs[2];
        struct pool *pool = NULL;
        struct job *news;
        eventfd_t count;

        assert(pool_new(&pool, 2, &slot) == 0);
        for (unsigned i = 0; i < 2; i++) {
                jobs[i] = (struct gated_job){.job = {.lane = &lane, .run = run}, .gate = &gate};
                pool_submit(pool, &jobs[i].job);
        }
        wait_inside(&gate, 2);
        for (unsigned i = 0; i < 3; i++) {
                pool_report(pool, &jobs[1].job);
                assert(eventfd_read(pool_fd(pool), &count) == 0 && count == 1);
                pool_report(pool, &jobs[0].job);
                pool_report(pool, &jobs[1].job);
                assert(eventfd_read(pool_fd(pool), &count) < 0); /* the loop is awake already */
                assert(!pool_collect(pool, &news));
                assert(news == &jobs[0].job && news->next_with_news == &jobs[1].job);
                assert(!news->next_with_news->next_with_news);
        }
        open_gate(&gate);
        collect(pool, 2);
        pool_free(pool);
}

static void test_what_waits_can_be_taken_back(void)
{
        static struct board_slot slot;
        struct lane lane = {.limit = 1};
        struct gate gate = gate_new(false);
        struct gated_job jobs[5];
        struct pool *pool = NULL;

        assert(pool_new(&pool, 2, &slot) == 0);
        assert(pool_oldest_usec(pool) == USEC_NEVER && !pool_late(pool, USEC_NEVER));
        for (unsigned i = 0; i < 5; i++) {
                jobs[i] = (struct gated_job){.job = {.lane = &lane, .run = run}, .gate = &gate};
                pool_submit(pool, &jobs[i].job);
                if (i == 0)
                        wait_inside(&gate, 1);
        }
        assert(!pool_withdraw(pool, &jobs[0].job));
        assert(pool_withdraw(pool, &jobs[2].job) && !pool_withdraw(pool, &jobs[2].job));
        assert(pool_withdraw(pool, &jobs[4].job)); /* the last one */
        assert(atomic_load(&slot.queued) == 2);

        assert(pool_oldest_usec(pool) == jobs[1].job.submitted);
        assert(!pool_late(pool, jobs[1].job.submitted));
        assert(pool_late(pool, jobs[1].job.submitted + 1) == &jobs[1].job);
        assert(pool_oldest_usec(pool) == jobs[3].job.submitted);

        pool_submit(pool, &jobs[1].job); /* may come again */
        open_gate(&gate);
        collect(pool, 3);
        assert(jobs[3].order == 2 && jobs[1].order == 3);
        assert(!pool_withdraw(pool, &jobs[3].job));
        assert(atomic_load(&slot.queued) == 0 && gate.ran == 3);
        pool_free(pool);
}

static void test_free_ends_idle_threads_and_accepts_null(void)
{
        static struct board_slot
                slot; /* not on the stack: gcc 12's fake stack aligns to 32 bytes only */
        struct pool *pool = NULL;
        struct job *news;

        assert(pool_new(&pool, 8, &slot) == 0);
        assert(!pool_collect(pool, &news) && !news);
        pool_free(pool);
        pool_free(NULL);
}

int main(void)
{
        test_jobs_run_in_order_and_all_come_back();
        test_full_lane_is_overtaken_and_never_exceeded();
        test_news_of_a_job_comes_once_until_it_is_collected();
        test_what_waits_can_be_taken_back();
        test_free_ends_idle_threads_and_accepts_null();
        return 0;
}
