/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring of bytes under a mutex, with one writer and one reader. */
#include "app/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
        size_t first; /* where what is held begins */
        size_t held;
        char bytes[CAPACITY];
};

struct stream *stream_new(void (*news)(void *data), void *data)
{
        struct stream *stream = malloc(sizeof(*stream));

        if (!stream)
                return NULL;
        memset(stream, 0, offsetof(struct stream, bytes));
        (void)pthread_mutex_init(&stream->mutex, NULL);
        (void)pthread_cond_init(&stream->change, NULL);
        stream->news = news;
        stream->data = data;
        return stream;
}

void stream_free(struct stream *stream)
{
        if (!stream)
                return;
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

int stream_write(struct stream *stream, const void *bytes, size_t size)
{
        const char *from = bytes;
        bool broken;

        pthread_mutex_lock(&stream->mutex);
        while (size > 0 && !stream->broken) {
                size_t n = put(stream, from, size);

                from += n;
                size -= n;
                tell(stream);
                if (n == 0)
                        pthread_cond_wait(&stream->change, &stream->mutex);
        }
        broken = stream->broken;
        pthread_mutex_unlock(&stream->mutex);
        return broken ? -EPIPE : 0;
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

ssize_t stream_read(struct stream *stream, void *bytes, size_t size)
{
        ssize_t n;

        pthread_mutex_lock(&stream->mutex);
        n = (ssize_t)get(stream, bytes, size);
        if (n > 0)
                pthread_cond_signal(&stream->change);
        else if (stream->ended)
                n = stream->error ? STREAM_FAILED : STREAM_END;
        else
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
