/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application threads of a worker.
 *
 * The threads never call libmicrohttpd: 0.9.75 loses wake-ups when MHD_resume_connection() comes
 * from another thread (74 to 575 requests/s instead of 43,000, measured). They put finished jobs on
 * a list and write an eventfd instead, once for each time that the list stops being empty, and the
 * loop thread resumes the connections.
 */
#include "worker/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/crash.h"

struct job_list {
        struct job *first;
        struct job **end; /* where the next one is linked in */
};

struct pool {
        pthread_mutex_t mutex;
        pthread_cond_t work;
        struct job_list waiting;
        struct job_list finished;
        struct job *with_news;
        bool ending;
        int fd; /* wakes the loop */
        struct board_slot *slot;
        unsigned n_threads;
        pthread_t threads[];
};

static void list_init(struct job_list *list)
{
        list->first = NULL;
        list->end = &list->first;
}

static void list_append(struct job_list *list, struct job *job)
{
        job->next = NULL;
        job->link = list->end;
        *list->end = job;
        list->end = &job->next;
}

static void list_remove(struct job_list *list, struct job *job)
{
        *job->link = job->next;
        if (job->next)
                job->next->link = job->link;
        else
                list->end = job->link;
        job->link = NULL;
}

/* Under the mutex there is one writer at a time; others only read. */
static void count(_Atomic uint32_t *counter, int change)
{
        uint32_t now = atomic_load_explicit(counter, memory_order_relaxed);

        atomic_store_explicit(counter, now + (uint32_t)change, memory_order_relaxed);
}

/* The oldest job whose lane has room; NULL: there is none. */
static struct job *find_runnable(const struct job_list *list)
{
        struct job *job = list->first;

        while (job && job->lane->running >= job->lane->limit)
                job = job->next;
        return job;
}

/* Called with the mutex held. */
static void stop_waiting(struct pool *pool, struct job *job)
{
        list_remove(&pool->waiting, job);
        count(&pool->slot->queued, -1);
}

/* Wait for a job; NULL: the pool ends. Called with the mutex held. */
static struct job *next_job(struct pool *pool)
{
        for (;;) {
                struct job *job = find_runnable(&pool->waiting);

                if (job) {
                        stop_waiting(pool, job);
                        job->lane->running++;
                        count(&pool->slot->busy, 1);
                        return job;
                }
                if (pool->ending)
                        return NULL;
                pthread_cond_wait(&pool->work, &pool->mutex);
        }
}

/* Called with the mutex held. */
static bool nothing_to_collect(const struct pool *pool)
{
        return !pool->finished.first && !pool->with_news;
}

/* Called with the mutex held. A job that waited for room in this lane may start now, so one more
 * thread is woken. */
static void finish_job(struct pool *pool, struct job *job)
{
        bool first = nothing_to_collect(pool);

        job->lane->running--;
        count(&pool->slot->busy, -1);
        list_append(&pool->finished, job);
        job->link = NULL;
        if (pool->waiting.first)
                pthread_cond_signal(&pool->work);
        if (first)
                (void)eventfd_write(pool->fd, 1);
}

static void *application_thread(void *data)
{
        void *guard = crash_guard_thread();
        struct pool *pool = data;
        struct job *job;

        pthread_mutex_lock(&pool->mutex);
        while ((job = next_job(pool))) {
                pthread_mutex_unlock(&pool->mutex);
                job->run(job);
                pthread_mutex_lock(&pool->mutex);
                finish_job(pool, job);
        }
        pthread_mutex_unlock(&pool->mutex);
        crash_unguard_thread(guard);
        return NULL;
}

static int start_threads(struct pool *pool, unsigned threads)
{
        int r = 0;

        while (r == 0 && pool->n_threads < threads) {
                r = pthread_create(&pool->threads[pool->n_threads], NULL, application_thread, pool);
                if (r == 0)
                        pool->n_threads++;
        }
        return -r;
}

int pool_new(struct pool **ret, unsigned threads, struct board_slot *slot)
{
        struct pool *pool;
        int r;

        pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
        if (!pool)
                return -ENOMEM;

        pool->slot = slot;
        (void)pthread_mutex_init(&pool->mutex, NULL);
        (void)pthread_cond_init(&pool->work, NULL);
        list_init(&pool->waiting);
        list_init(&pool->finished);
        pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = pool->fd < 0 ? -errno : start_threads(pool, threads);
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
        pthread_mutex_unlock(&pool->mutex);
        for (unsigned i = 0; i < pool->n_threads; i++)
                (void)pthread_join(pool->threads[i], NULL);

        if (pool->fd >= 0)
                (void)close(pool->fd);
        (void)pthread_cond_destroy(&pool->work);
        (void)pthread_mutex_destroy(&pool->mutex);
        free(pool);
}

void pool_submit(struct pool *pool, struct job *job)
{
        job->submitted = now_usec();
        pthread_mutex_lock(&pool->mutex);
        list_append(&pool->waiting, job);
        count(&pool->slot->queued, 1);
        pthread_cond_signal(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
}

bool pool_withdraw(struct pool *pool, struct job *job)
{
        bool waits;

        pthread_mutex_lock(&pool->mutex);
        waits = job->link;
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
        bool first;

        pthread_mutex_lock(&pool->mutex);
        first = nothing_to_collect(pool);
        if (!job->has_news) {
                job->has_news = true;
                job->next_with_news = pool->with_news;
                pool->with_news = job;
        }
        if (first)
                (void)eventfd_write(pool->fd, 1);
        pthread_mutex_unlock(&pool->mutex);
}

struct job *pool_collect(struct pool *pool, struct job **ret_news)
{
        eventfd_t count;
        struct job *first;

        (void)eventfd_read(pool->fd, &count);
        pthread_mutex_lock(&pool->mutex);
        first = pool->finished.first;
        list_init(&pool->finished);
        *ret_news = pool->with_news;
        pool->with_news = NULL;
        for (struct job *job = *ret_news; job; job = job->next_with_news)
                job->has_news = false;
        pthread_mutex_unlock(&pool->mutex);
        return first;
}

int pool_fd(const struct pool *pool)
{
        return pool->fd;
}
