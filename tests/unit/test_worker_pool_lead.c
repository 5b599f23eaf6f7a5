/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that leads: runs short jobs itself, and is followed by another one when a job lasts.
 */
#include "worker/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

enum { THREADS = 3, JOBS = 200, SECONDS_MAX = 20 };

struct test_job {
        struct job job;
        pthread_t thread; /* that ran it */
        sem_t *gate;      /* NULL: it is short */
        sem_t *begun;
};

/* A loop that submits the jobs of a test, as many as it says at a time, and collects them. */
struct test {
        struct pool *pool;
        struct board_slot *slot;
        struct lane lane;
        struct test_job *jobs;
        unsigned n_jobs, at_once;
        unsigned submitted, collected;
        unsigned turns;
        atomic_bool inside; /* a turn */
        pthread_t leader;
        unsigned leaders;
        void (*run)(struct job *job);    /* NULL: run() */
        bool (*more)(struct test *test); /* after each turn; NULL: until all are collected */
        uint64_t began;
};

static void run(struct job *job)
{
        struct test_job *own = (struct test_job *)job;

        own->thread = pthread_self();
        if (own->begun)
                assert(sem_post(own->begun) == 0);
        while (own->gate && sem_wait(own->gate) != 0)
                ;
}

static void on_lead(void *data)
{
        struct test *test = data;

        test->leader = pthread_self();
        test->leaders++;
}

static void submit(struct test *test)
{
        while (test->submitted < test->n_jobs &&
               test->submitted - test->collected < test->at_once) {
                struct test_job *job = &test->jobs[test->submitted++];

                job->job = (struct job){.lane = &test->lane, .run = test->run ? test->run : run};
                pool_submit(test->pool, &job->job);
        }
}

static bool turn(void *data)
{
        const struct timespec pause = {.tv_nsec = 10000};
        struct test *test = data;
        struct job *news;

        assert(!atomic_exchange(&test->inside, true));
        assert(pthread_equal(test->leader, pthread_self()));
        if (!pool_has_finished(test->pool))
                (void)nanosleep(&pause, NULL);
        for (struct job *job = pool_collect(test->pool, &news); job; job = job->next)
                test->collected++;
        assert(atomic_load(&test->slot->busy) <= THREADS);
        submit(test);
        test->turns++;
        assert(now_usec() < test->began + SECONDS_MAX * USEC_PER_SEC);
        assert(atomic_exchange(&test->inside, false));
        return test->more ? test->more(test) : test->collected < test->n_jobs;
}

static void lead(struct test *test, unsigned threads)
{
        static struct board_slot slot; /* not on the stack: gcc 12's fake stack aligns too little */
        const struct pool_loop loop = {.lead = on_lead, .turn = turn, .data = test};

        test->slot = &slot;
        test->lane.limit = 100;
        test->began = now_usec();
        assert(pool_new(&test->pool, threads, &slot) == 0);
        pool_lead(test->pool, &loop);
        if (test->collected < test->n_jobs)
                return;
        pool_free(test->pool);
        assert(atomic_load(&slot.busy) == 0 && atomic_load(&slot.queued) == 0);
}

/* A busy machine may have let somebody else lead, or somebody else run some. */
static void test_short_jobs_are_run_by_the_leader(void)
{
        static struct test_job jobs[JOBS];
        struct test test = {.jobs = jobs, .n_jobs = JOBS, .at_once = 4};
        unsigned same = 0;

        lead(&test, THREADS);
        for (unsigned i = 1; i < JOBS; i++)
                same += pthread_equal(jobs[i].thread, jobs[i - 1].thread) != 0;
        assert(same > JOBS / 2);
}

static sem_t gate, begun;

/* All jobs there is room for are in the application, and the loop turns. */
static bool until_it_has_turned_beside_all(struct test *test)
{
        int inside;

        assert(sem_getvalue(&begun, &inside) == 0);
        if (inside == THREADS && test->turns > 0 && test->collected == 0) {
                test->turns = 0;
                test->more = NULL;
                for (unsigned i = 0; i < test->n_jobs; i++)
                        assert(sem_post(&gate) == 0);
        }
        return true;
}

static void test_jobs_that_last_stop_nothing(void)
{
        static struct test_job jobs[2 * THREADS];
        struct test test = {.jobs = jobs,
                            .n_jobs = 2 * THREADS,
                            .at_once = 2 * THREADS,
                            .more = until_it_has_turned_beside_all};

        assert(sem_init(&gate, 0, 0) == 0 && sem_init(&begun, 0, 0) == 0);
        for (unsigned i = 0; i < test.n_jobs; i++) {
                jobs[i].gate = &gate;
                jobs[i].begun = &begun;
        }
        lead(&test, THREADS);
}

/* A job that began is let go by a turn beside it; so on until the leader himself had one, which he
 * has not when nobody stood by in that moment. */
static bool until_another_one_leads(struct test *test)
{
        int inside;

        assert(sem_getvalue(&begun, &inside) == 0);
        if (inside > 0) {
                assert(sem_wait(&begun) == 0);
                assert(sem_post(&gate) == 0);
        }
        if (test->leaders > 1)
                test->n_jobs = test->submitted;
        return test->collected < test->n_jobs;
}

static void test_another_one_leads_when_the_leader_is_busy(void)
{
        static struct test_job jobs[JOBS];
        struct test test = {
                .jobs = jobs, .n_jobs = JOBS, .at_once = 1, .more = until_another_one_leads};

        assert(sem_init(&gate, 0, 0) == 0 && sem_init(&begun, 0, 0) == 0);
        for (unsigned i = 0; i < JOBS; i++) {
                jobs[i].gate = &gate;
                jobs[i].begun = &begun;
        }
        lead(&test, THREADS);
        assert(test.leaders > 1);
}

static void test_one_thread_for_jobs_is_always_the_same_and_never_leads(void)
{
        static struct test_job jobs[JOBS];
        struct test test = {.jobs = jobs, .n_jobs = JOBS, .at_once = 2};

        lead(&test, 1);
        assert(test.leaders == 1);
        for (unsigned i = 0; i < JOBS; i++)
                assert(pthread_equal(jobs[i].thread, jobs[0].thread) &&
                       !pthread_equal(jobs[i].thread, test.leader));
}

static bool until_one_has_begun(struct test *test)
{
        int inside;

        (void)test;
        assert(sem_getvalue(&begun, &inside) == 0);
        return inside == 0;
}

static void test_the_loop_may_end_beside_a_job(void)
{
        static struct test_job job;
        struct test test = {.jobs = &job, .n_jobs = 1, .at_once = 1, .more = until_one_has_begun};

        job.gate = &gate;
        job.begun = &begun;
        assert(sem_init(&gate, 0, 0) == 0 && sem_init(&begun, 0, 0) == 0);
        lead(&test, THREADS);
        assert(sem_post(&gate) == 0);
        pool_free(test.pool);
}

static const uint64_t burned_usec = 20 * USEC_PER_MSEC;

static void burn(struct job *job)
{
        uint64_t end = thread_usec() + burned_usec;

        (void)job;
        while (thread_usec() < end)
                ;
}

static atomic_bool burned_enough;

static void *burn_beside(void *data)
{
        (void)data;
        while (!atomic_load(&burned_enough))
                ;
        return NULL;
}

/* A job that the kernel has interrupted is no less long for it: others than the leader run such. */
static void test_long_jobs_are_not_excused(void)
{
        enum { LONG_JOBS = 12 };
        static struct test_job jobs[LONG_JOBS];
        struct test test = {.jobs = jobs, .n_jobs = LONG_JOBS, .at_once = 1, .run = burn};
        cpu_set_t before, one;
        pthread_t beside;

        assert(sched_getaffinity(0, sizeof(before), &before) == 0);
        CPU_ZERO(&one);
        for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++)
                if (CPU_ISSET(cpu, &before))
                        CPU_SET(cpu, &one);
        assert(sched_setaffinity(0, sizeof(one), &one) == 0);
        assert(pthread_create(&beside, NULL, burn_beside, NULL) == 0);
        lead(&test, THREADS);
        atomic_store(&burned_enough, true);
        assert(pthread_join(beside, NULL) == 0);
        assert(sched_setaffinity(0, sizeof(before), &before) == 0);
        assert(test.lane.slow_until > 0);
}

int main(void)
{
        test_short_jobs_are_run_by_the_leader();
        test_jobs_that_last_stop_nothing();
        test_another_one_leads_when_the_leader_is_busy();
        test_one_thread_for_jobs_is_always_the_same_and_never_leads();
        test_the_loop_may_end_beside_a_job();
        test_long_jobs_are_not_excused();
        return 0;
}
