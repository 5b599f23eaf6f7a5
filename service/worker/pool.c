/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads of a worker: leading, standing by, running jobs, resting.
 *
 * Those that run jobs never call libmicrohttpd: 0.9.75 loses wake-ups when MHD_resume_connection()
 * comes from another thread than the loop's (74 to 575 requests/s instead of 43,000, measured).
 * They put finished jobs on a list and write an eventfd instead, once for each time that the list
 * stops being empty, and the loop resumes the connections.
 *
 * A job that waits and that nobody was woken for is not forgotten: as long as no thread stands by,
 * one is on its way to look for jobs.
 */
#include "worker/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/wake.h"
#include "worker/baton.h"
#include "worker/crash.h"
#include "worker/seats.h"

/* How long the loop stands still before another thread takes it over, as soon as that one looks. */
#define PATIENCE_USEC 500

/* Who stands by looks so often, as long as there are jobs: a look costs as much as 5 requests of
 * the shortest kind (with 2,000 of them a second, 8.9 us a request became 11.2). More often for a
 * while after the end of a job that had to be overtaken, unless the kernel had only kept it from
 * running: that is no sign that another one will take long. */
#define LOOK_USEC  2000
#define ALERT_USEC USEC_PER_SEC

/* So many looks in a row without a job, and who stands by sleeps until there is one. */
#define LOOKS_MAX 4

struct pool {
        pthread_mutex_t mutex;
        pthread_cond_t work;  /* for those that rest */
        pthread_cond_t stand; /* for the one that stands by */
        pthread_cond_t over;  /* for pool_lead() */
        struct job_list waiting;
        struct job_list finished;
        struct job *with_news;
        const struct pool_loop *loop; /* NULL: none, or its last turn was */
        bool vacant;                  /* nobody leads */
        bool passes;                  /* the leader leaves what waits to the others */
        bool stands_by;               /* somebody does */
        uint64_t alert_until;         /* now_usec() then */
        unsigned n_resting;
        bool ending;
        struct wake wake; /* for the loop */
        struct baton baton;
        atomic_bool asleep;     /* who stands by is to be woken when the baton is lent */
        struct job *lent;       /* the job for which it is lent */
        clockid_t leader_clock; /* thread_usec_of() who leads */
        bool has_finished;      /* jobs that the leader has run; his */
        uint64_t look_at;       /* when jobs that are held may start; his */
        struct board_slot *slot;
        struct seats seats;
        unsigned n_threads;
        pthread_t threads[];
};

/* Under the mutex there is one writer at a time; others only read. */
static void count(_Atomic uint32_t *counter, int change)
{
        uint32_t now = atomic_load_explicit(counter, memory_order_relaxed);

        atomic_store_explicit(counter, now + (uint32_t)change, memory_order_relaxed);
}

/* From here to the threads: called with the mutex held. */

/* -- jobs -- */

static bool may_start(const struct job *job, enum seats_room room)
{
        return lane_has_room(job->lane) && (room == SEATS_FOR_ALL || !job_is_long(job));
}

/* One that takes long is none for the leader, and says nothing about the others of its lane. */
static enum lane_pace pace_of(const struct job *job, uint64_t now)
{
        return job_is_long(job) ? LANE_SLOW : lane_pace(job->lane, now);
}

/* The oldest job that may start now for which somebody is wanted: @pace tells the leader's from
 * those of the other threads; NULL: for whoever it is. */
static struct job *find_for(const struct pool *pool, const enum lane_pace *pace)
{
        uint64_t now = pool->waiting.first ? now_usec() : 0;
        enum seats_room room = seats_room(&pool->seats, now);
        struct job *job = room == SEATS_NONE ? NULL : pool->waiting.first;

        while (job && !(may_start(job, room) && (!pace || pace_of(job, now) == *pace)))
                job = job->next;
        return job;
}

static struct job *find(const struct pool *pool, enum lane_pace pace)
{
        return find_for(pool, &pace);
}

static bool leader_runs_jobs(const struct pool *pool)
{
        return pool->loop && pool->seats.n_max > 1;
}

/* One for another thread than the leader. With one thread for jobs all are. */
static struct job *find_runnable(const struct pool *pool)
{
        return leader_runs_jobs(pool) && !pool->passes ? find(pool, LANE_SLOW)
                                                       : find_for(pool, NULL);
}

static void stop_waiting(struct pool *pool, struct job *job)
{
        job_list_remove(&pool->waiting, job);
        job->waits = false;
        seats_forget(&pool->seats, job);
        count(&pool->slot->queued, -1);
}

static void start(struct pool *pool, struct job *job)
{
        stop_waiting(pool, job);
        job->lane->running++;
        seats_enter(&pool->seats, job);
        count(&pool->slot->busy, 1);
}

/* A thread for a job. */
static void wake(struct pool *pool)
{
        if (pool->n_resting > 0)
                pthread_cond_signal(&pool->work);
        else if (pool->stands_by)
                pthread_cond_signal(&pool->stand);
}

static void end(struct pool *pool, struct job *job, uint64_t took)
{
        job->lane->running--;
        seats_leave(&pool->seats, job, took);
        count(&pool->slot->busy, -1);
        job_list_append(&pool->finished, job);
}

/* By another thread than the leader's. A job that waited for room in this lane may start now, so
 * one more thread is woken. */
static void give_back(struct pool *pool, struct job *job, uint64_t took)
{
        end(pool, job, took);
        if (pool->waiting.first)
                wake(pool);
        wake_tell(&pool->wake);
}

/* -- standing by -- */

/* What the one that stands by has seen of the baton. */
struct watch_of_baton {
        uint64_t word;
        unsigned looks; /* that saw nothing else */
};

/* Return: whether the calling thread leads now. */
static bool look(struct pool *pool, struct watch_of_baton *seen)
{
        uint64_t now = now_usec();
        uint64_t word = baton_look(&pool->baton);

        if (pool->vacant) {
                pool->vacant = false;
                return true;
        }
        seen->looks = word == seen->word ? seen->looks + 1 : 0;
        seen->word = word;
        if (!baton_is_lent(word) || !baton_take(&pool->baton, word, now - PATIENCE_USEC))
                return false;
        lane_outlasts(pool->lent->lane, now);
        pool->lent->ran = thread_usec_of(pool->leader_clock);
        return true;
}

static void doze(struct pool *pool)
{
        uint64_t now = now_usec();
        uint64_t end = now + (now < pool->alert_until ? PATIENCE_USEC : LOOK_USEC);
        const struct timespec until = {
                .tv_sec = (time_t)(end / USEC_PER_SEC),
                .tv_nsec = (long)(end % USEC_PER_SEC * 1000),
        };

        (void)pthread_cond_timedwait(&pool->stand, &pool->mutex, &until);
}

/* The leader lends the baton and then looks who is asleep; here it is the other way round, so one
 * of the two sees the other. */
static void sleep_until_lent(struct pool *pool)
{
        atomic_store(&pool->asleep, true);
        if (!baton_is_lent(baton_look(&pool->baton)))
                pthread_cond_wait(&pool->stand, &pool->mutex);
        atomic_store(&pool->asleep, false);
}

/* Return: whether the calling thread leads now; else there may be a job. */
static bool stand_by(struct pool *pool)
{
        struct watch_of_baton seen = {.word = baton_look(&pool->baton)};
        bool leads = false;

        pool->stands_by = true;
        while (!pool->ending && !(leads = look(pool, &seen)) && !find_runnable(pool)) {
                if (seen.looks > LOOKS_MAX && !baton_is_lent(seen.word))
                        sleep_until_lent(pool);
                else
                        doze(pool);
        }
        pool->stands_by = false;
        /* Another one is to stand by. */
        if (pool->n_resting > 0)
                pthread_cond_signal(&pool->work);
        return leads;
}

static void rest(struct pool *pool)
{
        pool->n_resting++;
        pthread_cond_wait(&pool->work, &pool->mutex);
        pool->n_resting--;
}

/* -- leading -- */

/* One for the leader; none when nobody could take the loop over. */
static struct job *take_short(struct pool *pool)
{
        struct job *job = pool->stands_by ? find(pool, LANE_SHORT) : NULL;

        if (job) {
                start(pool, job);
                pool->lent = job;
        }
        return job;
}

static void wake_sleeper(struct pool *pool)
{
        if (!atomic_load(&pool->asleep))
                return;
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->stand);
        pthread_mutex_unlock(&pool->mutex);
}

/* What the leader does, and has done when he was asked last. */
struct stint {
        uint64_t now;
        struct thread_switches switches;
};

/* A job that has ended after another thread took the loop over. It is excused when the kernel had
 * only kept it from running; else somebody is to be quicker next time. */
static void end_overtaken(struct pool *pool, struct job *job, uint64_t took, bool preempted)
{
        bool excused = preempted && !lane_is_long(thread_usec() - job->ran);

        if (excused)
                lane_excuse(job->lane);
        else
                pool->alert_until = now_usec() + ALERT_USEC;
        give_back(pool, job, excused ? HABIT_UNKNOWN : took);
}

/* Called without the mutex, returns with it. Return: whether the calling thread still leads. */
static bool run_here(struct pool *pool, struct job *job, struct stint *stint)
{
        uint64_t lent = baton_lend(&pool->baton, stint->now);
        uint64_t begun = stint->now, took;
        bool leads, preempted;

        wake_sleeper(pool);
        job->run(job);
        stint->now = now_usec();
        took = stint->now - begun;
        preempted = lane_is_long(took) && thread_was_only_preempted(&stint->switches);
        leads = baton_keep(&pool->baton, lent);
        pthread_mutex_lock(&pool->mutex);
        if (!leads) {
                end_overtaken(pool, job, took, preempted);
                return false;
        }
        if (!preempted)
                lane_took(job->lane, took, stint->now);
        end(pool, job, preempted ? HABIT_UNKNOWN : took);
        pool->has_finished = true;
        return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* The others get what the leader may not run, and all of it when nobody could take the loop over
 * meanwhile. What is held is looked at again. */
static void share(struct pool *pool)
{
        struct job *held;

        pool->passes = !pool->stands_by;
        if (find_runnable(pool))
                wake(pool);
        held = pool->waiting.first ? find(pool, LANE_HELD) : NULL;
        pool->look_at = held ? held->lane->hold_until : USEC_NEVER;
        if (pool->waiting.first)
                pool->look_at = least(pool->look_at, seats_wake_usec(&pool->seats, now_usec()));
}

/* So many that the loop does not stand still for long, either. Return: whether the calling thread
 * still leads. */
static bool run_short_ones(struct pool *pool)
{
        struct stint stint = {.now = now_usec()};
        uint64_t end = stint.now + PATIENCE_USEC;
        struct job *job = leader_runs_jobs(pool) ? take_short(pool) : NULL;
        bool leads = true;

        if (job)
                stint.switches = thread_switches();
        while (job) {
                pthread_mutex_unlock(&pool->mutex);
                leads = run_here(pool, job, &stint);
                job = leads && stint.now < end ? take_short(pool) : NULL;
        }
        if (leads)
                share(pool);
        return leads;
}

static void lead(struct pool *pool)
{
        const struct pool_loop *loop = pool->loop;
        bool more = true;

        (void)pthread_getcpuclockid(pthread_self(), &pool->leader_clock);
        loop->lead(loop->data);
        do {
                pthread_mutex_unlock(&pool->mutex);
                more = loop->turn(loop->data);
                pthread_mutex_lock(&pool->mutex);
        } while (more && run_short_ones(pool));
        if (more)
                return;
        pool->loop = NULL;
        pthread_cond_signal(&pool->over);
}

void pool_lead(struct pool *pool, const struct pool_loop *loop)
{
        pthread_mutex_lock(&pool->mutex);
        pool->loop = loop;
        pool->vacant = true;
        pthread_cond_signal(&pool->stand);
        while (pool->loop)
                pthread_cond_wait(&pool->over, &pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
}

/* -- the threads -- */

static void work(struct pool *pool, struct job *job)
{
        struct thread_switches switches = thread_switches();
        uint64_t ran = thread_usec(), took;

        start(pool, job);
        if (find_runnable(pool))
                wake(pool);
        pthread_mutex_unlock(&pool->mutex);
        job->run(job);
        took = now_usec() - job->begun;
        if (lane_is_long(took) && thread_was_only_preempted(&switches))
                took = thread_usec() - ran;
        pthread_mutex_lock(&pool->mutex);
        give_back(pool, job, took);
}

static void *thread(void *data)
{
        void *guard = crash_guard_thread();
        struct pool *pool = data;
        struct job *job;

        pthread_mutex_lock(&pool->mutex);
        while ((job = find_runnable(pool)) || !pool->ending) {
                if (job)
                        work(pool, job);
                else if (pool->stands_by)
                        rest(pool);
                else if (stand_by(pool))
                        lead(pool);
        }
        pthread_mutex_unlock(&pool->mutex);
        crash_unguard_thread(guard);
        return NULL;
}

static int start_threads(struct pool *pool, unsigned threads)
{
        int r = 0;

        while (r == 0 && pool->n_threads < threads) {
                r = pthread_create(&pool->threads[pool->n_threads], NULL, thread, pool);
                if (r == 0)
                        pool->n_threads++;
        }
        return -r;
}

/* On the monotonic clock: one that jumps must not keep a thread from looking. */
static void init_locks(struct pool *pool)
{
        pthread_condattr_t attributes;

        (void)pthread_mutex_init(&pool->mutex, NULL);
        (void)pthread_cond_init(&pool->work, NULL);
        (void)pthread_cond_init(&pool->over, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&pool->stand, &attributes);
        (void)pthread_condattr_destroy(&attributes);
}

int pool_new(struct pool **ret, unsigned threads, struct board_slot *slot)
{
        unsigned n = threads + 1;
        struct pool *pool;
        int r;

        pool = calloc(1, sizeof(*pool) + n * sizeof(pool->threads[0]));
        if (!pool)
                return -ENOMEM;

        pool->slot = slot;
        seats_init(&pool->seats, threads);
        pool->look_at = USEC_NEVER;
        init_locks(pool);
        job_list_init(&pool->waiting);
        job_list_init(&pool->finished);
        r = wake_init(&pool->wake);
        if (r == 0)
                r = start_threads(pool, n);
        if (r < 0) {
                pool_free(pool);
                return r;
        }
        *ret = pool;
        return 0;
}

void pool_free(struct pool *pool)
{
        if (!pool)
                return;

        pthread_mutex_lock(&pool->mutex);
        pool->ending = true;
        pthread_cond_broadcast(&pool->work);
        pthread_cond_broadcast(&pool->stand);
        pthread_mutex_unlock(&pool->mutex);
        for (unsigned i = 0; i < pool->n_threads; i++)
                (void)pthread_join(pool->threads[i], NULL);

        wake_done(&pool->wake);
        (void)pthread_cond_destroy(&pool->work);
        (void)pthread_cond_destroy(&pool->stand);
        (void)pthread_cond_destroy(&pool->over);
        (void)pthread_mutex_destroy(&pool->mutex);
        free(pool);
}

void pool_submit(struct pool *pool, struct job *job)
{
        job->submitted = now_usec();
        pthread_mutex_lock(&pool->mutex);
        job->waits = true;
        job_list_append(&pool->waiting, job);
        count(&pool->slot->queued, 1);
        seats_await(&pool->seats, job);
        /* For short ones the leader needs nobody; when he cannot, he wakes somebody after the turn.
         */
        if (!leader_runs_jobs(pool) || pace_of(job, job->submitted) == LANE_SLOW)
                wake(pool);
        pthread_mutex_unlock(&pool->mutex);
}

bool pool_withdraw(struct pool *pool, struct job *job)
{
        bool waits;

        pthread_mutex_lock(&pool->mutex);
        waits = job->waits;
        if (waits)
                stop_waiting(pool, job);
        pthread_mutex_unlock(&pool->mutex);
        return waits;
}

/* Only the loop thread lets jobs wait: it asks for the mutex when some do. */
static bool none_waits(const struct pool *pool)
{
        return atomic_load_explicit(&pool->slot->queued, memory_order_relaxed) == 0;
}

struct job *pool_late(struct pool *pool, uint64_t since)
{
        struct job *job;

        if (none_waits(pool))
                return NULL;
        pthread_mutex_lock(&pool->mutex);
        job = pool->waiting.first;
        if (job && job->submitted < since)
                stop_waiting(pool, job);
        else
                job = NULL;
        pthread_mutex_unlock(&pool->mutex);
        return job;
}

uint64_t pool_oldest_usec(struct pool *pool)
{
        uint64_t oldest;

        if (none_waits(pool))
                return USEC_NEVER;
        pthread_mutex_lock(&pool->mutex);
        oldest = pool->waiting.first ? pool->waiting.first->submitted : USEC_NEVER;
        pthread_mutex_unlock(&pool->mutex);
        return oldest;
}

void pool_report(struct pool *pool, struct job *job)
{
        pthread_mutex_lock(&pool->mutex);
        if (!job->has_news) {
                job->has_news = true;
                job->next_with_news = pool->with_news;
                pool->with_news = job;
        }
        wake_tell(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
}

struct job *pool_collect(struct pool *pool, struct job **ret_news)
{
        struct job *first;

        wake_take(&pool->wake);
        pthread_mutex_lock(&pool->mutex);
        pool->has_finished = false;
        first = pool->finished.first;
        job_list_init(&pool->finished);
        *ret_news = pool->with_news;
        pool->with_news = NULL;
        for (struct job *job = *ret_news; job; job = job->next_with_news)
                job->has_news = false;
        pthread_mutex_unlock(&pool->mutex);
        return first;
}

int pool_fd(const struct pool *pool)
{
        return pool->wake.fd;
}

uint64_t pool_wake_usec(const struct pool *pool)
{
        return pool->look_at;
}

bool pool_has_finished(const struct pool *pool)
{
        return pool->has_finished;
}
