/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring of bytes under a mutex, with one writer and one reader; and behind it, when the reader is
 * slow, another one in a file. */
#include "app/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/spool.h"
#include "base/clock.h"

/* As much as libmicrohttpd's pool takes in one go, twice. */
#define CAPACITY ((size_t)64 << 10)

struct stream {
        pthread_mutex_t mutex;
        pthread_cond_t change; /* what the application waits for */
        void (*news)(void *data);
        void *data;
        bool hungry; /* the loop waits for news */
        bool asked;  /* the reader has waited */
        bool ended;
        int error;
        bool broken;
        bool gave_up; /* the writer, and broke it */
        bool no_disk;
        struct stream_terms *terms;
        struct spool spool;
        uint64_t spooled; /* bytes in it, younger than those that are held */
        size_t first;     /* where what is held begins */
        size_t held;
        char bytes[CAPACITY];
};

static void init_change(pthread_cond_t *change)
{
        pthread_condattr_t attributes;

        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(change, &attributes);
        (void)pthread_condattr_destroy(&attributes);
}

struct stream *stream_new(void (*news)(void *data), void *data, struct stream_terms *terms)
{
        struct stream *stream = malloc(sizeof(*stream));

        if (!stream)
                return NULL;
        memset(stream, 0, offsetof(struct stream, bytes));
        (void)pthread_mutex_init(&stream->mutex, NULL);
        init_change(&stream->change);
        stream->terms = terms;
        stream->spool.capacity = terms ? terms->spool_max : 0;
        stream->news = news;
        stream->data = data;
        return stream;
}

void stream_free(struct stream *stream)
{
        if (!stream)
                return;
        spool_done(&stream->spool);
        (void)pthread_cond_destroy(&stream->change);
        (void)pthread_mutex_destroy(&stream->mutex);
        free(stream);
}

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

static void tell(struct stream *stream)
{
        if (!stream->hungry)
                return;
        stream->hungry = false;
        stream->news(stream->data);
}

/* As much as there is room for, up to where the ring begins again. */
static size_t put(struct stream *stream, const char *bytes, size_t size)
{
        size_t at = (stream->first + stream->held) % CAPACITY;

        size = least(size, least(CAPACITY - stream->held, CAPACITY - at));
        memcpy(stream->bytes + at, bytes, size);
        stream->held += size;
        return size;
}

/* -- writing -- */

/* Whether this thread may wait as long as it takes: then it counts until it does not wait any
 * more. */
static bool enter_waiters(struct stream_terms *terms)
{
        if (!terms)
                return true;
        if (atomic_fetch_add(&terms->waiters, 1) < terms->waiters_max)
                return true;
        (void)atomic_fetch_sub(&terms->waiters, 1);
        return false;
}

static void leave_waiters(struct stream_terms *terms)
{
        if (terms)
                (void)atomic_fetch_sub(&terms->waiters, 1);
}

static bool has_room(const struct stream *stream)
{
        if (stream->spooled == 0)
                return stream->held < CAPACITY;
        return !stream->no_disk && stream->spooled < stream->spool.capacity;
}

/* The mutex is not held while the disk is busy: the loop may want to read. Return: so many bytes.
 */
static size_t put_aside(struct stream *stream, const char *bytes, size_t size)
{
        uint64_t room = stream->no_disk ? 0 : stream->spool.capacity - stream->spooled;
        size_t n;

        if (room == 0)
                return 0;
        pthread_mutex_unlock(&stream->mutex);
        n = spool_write(&stream->spool, bytes, size < room ? size : (size_t)room);
        pthread_mutex_lock(&stream->mutex);
        stream->spooled += n;
        stream->no_disk = n == 0;
        return n;
}

/* As long as it takes. Return: whether this thread may. */
static bool wait_for_room(struct stream *stream)
{
        if (!enter_waiters(stream->terms))
                return false;
        while (!has_room(stream) && !stream->broken)
                pthread_cond_wait(&stream->change, &stream->mutex);
        leave_waiters(stream->terms);
        return true;
}

/* Return: whether there is room, or nobody who reads. */
static bool wait_a_while(struct stream *stream)
{
        uint64_t end = now_usec() + stream->terms->patience_usec;
        const struct timespec until = {
                .tv_sec = (time_t)(end / USEC_PER_SEC),
                .tv_nsec = (long)(end % USEC_PER_SEC) * (long)NSEC_PER_USEC,
        };

        while (!has_room(stream) && !stream->broken)
                if (pthread_cond_timedwait(&stream->change, &stream->mutex, &until) == ETIMEDOUT)
                        return has_room(stream) || stream->broken;
        return true;
}

/* There is no room in memory. Return: so many bytes were put aside; 0: look again. */
static size_t make_do(struct stream *stream, const char *bytes, size_t size)
{
        size_t n;

        if (stream->spooled == 0 && wait_for_room(stream))
                return 0;
        n = put_aside(stream, bytes, size);
        if (n > 0 || wait_for_room(stream) || wait_a_while(stream))
                return n;
        stream->gave_up = stream->broken = true;
        tell(stream);
        return 0;
}

int stream_write(struct stream *stream, const void *bytes, size_t size)
{
        const char *from = bytes;
        bool broken;

        pthread_mutex_lock(&stream->mutex);
        while (size > 0 && !stream->broken) {
                size_t n = stream->spooled > 0 ? 0 : put(stream, from, size);

                if (n == 0)
                        n = make_do(stream, from, size);
                from += n;
                size -= n;
                if (n > 0)
                        tell(stream);
        }
        broken = stream->broken;
        pthread_mutex_unlock(&stream->mutex);
        return broken ? -EPIPE : 0;
}

bool stream_gave_up(struct stream *stream)
{
        bool gave_up;

        pthread_mutex_lock(&stream->mutex);
        gave_up = stream->gave_up;
        pthread_mutex_unlock(&stream->mutex);
        return gave_up;
}

void stream_end(struct stream *stream, int error)
{
        if (!stream)
                return;
        pthread_mutex_lock(&stream->mutex);
        if (!stream->ended)
                stream->error = error;
        stream->ended = true;
        tell(stream);
        pthread_cond_signal(&stream->change);
        pthread_mutex_unlock(&stream->mutex);
}

static size_t get(struct stream *stream, char *bytes, size_t size)
{
        size = least(size, least(stream->held, CAPACITY - stream->first));
        memcpy(bytes, stream->bytes + stream->first, size);
        stream->first = (stream->first + size) % CAPACITY;
        stream->held -= size;
        return size;
}

/* What was put aside is younger than what is in memory. */
static ssize_t take_back(struct stream *stream, void *bytes, size_t size)
{
        size_t n = spool_read(&stream->spool, bytes,
                              size < stream->spooled ? size : (size_t)stream->spooled);

        stream->spooled -= n;
        return n > 0 ? (ssize_t)n : STREAM_FAILED;
}

ssize_t stream_read(struct stream *stream, void *bytes, size_t size)
{
        ssize_t n;

        pthread_mutex_lock(&stream->mutex);
        n = (ssize_t)get(stream, bytes, size);
        if (n == 0 && stream->spooled > 0)
                n = take_back(stream, bytes, size);
        if (n > 0)
                pthread_cond_signal(&stream->change);
        else if (stream->gave_up)
                n = STREAM_FAILED;
        else if (n == 0 && stream->ended)
                n = stream->error ? STREAM_FAILED : STREAM_END;
        else if (n == 0)
                stream->hungry = true;
        pthread_mutex_unlock(&stream->mutex);
        return n;
}

size_t stream_offer(struct stream *stream, const void *bytes, size_t size)
{
        const char *from = bytes;
        size_t taken = 0, n = 1;

        pthread_mutex_lock(&stream->mutex);
        while (taken < size && n > 0 && !stream->broken) {
                n = put(stream, from + taken, size - taken);
                taken += n;
        }
        if (stream->broken)
                taken = size;
        stream->hungry = taken < size;
        pthread_cond_signal(&stream->change);
        pthread_mutex_unlock(&stream->mutex);
        return taken;
}

void stream_await(struct stream *stream)
{
        pthread_mutex_lock(&stream->mutex);
        stream->hungry = true;
        pthread_mutex_unlock(&stream->mutex);
}

bool stream_asked(struct stream *stream)
{
        bool asked;

        pthread_mutex_lock(&stream->mutex);
        asked = stream->asked;
        pthread_mutex_unlock(&stream->mutex);
        return asked;
}

ssize_t stream_take(struct stream *stream, void *bytes, size_t size)
{
        ssize_t n;

        pthread_mutex_lock(&stream->mutex);
        if (stream->held == 0) {
                stream->asked = true;
                tell(stream);
        }
        while (stream->held == 0 && !stream->ended && size > 0)
                pthread_cond_wait(&stream->change, &stream->mutex);
        n = (ssize_t)get(stream, bytes, size);
        if (stream->held <= CAPACITY / 2) /* not for each few bytes that are read */
                tell(stream);
        if (n == 0 && stream->ended)
                n = stream->error;
        pthread_mutex_unlock(&stream->mutex);
        return n;
}

void stream_break(struct stream *stream)
{
        if (!stream)
                return;
        pthread_mutex_lock(&stream->mutex);
        stream->broken = true;
        stream->held = 0;
        tell(stream);
        pthread_cond_signal(&stream->change);
        pthread_mutex_unlock(&stream->mutex);
}
