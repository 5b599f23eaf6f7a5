/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream: a body on its way between an application thread and the loop thread, that of a response
 * one way, that of a request the other.
 *
 * Bounded: the application waits while the client is slow, and holds nothing but its own thread.
 * The loop never waits; when there is nothing, or no room, it is told later.
 *
 * Not all threads of a process may wait for clients who are slow to read. So many may wait as long
 * as it takes; beyond them what there is no room for goes into a file, up to a limit, and then the
 * client has to make room now and then, or loses the rest.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

/* Of all streams of a process together. */
struct stream_terms {
        unsigned waiters_max;   /* threads that wait as long as it takes */
        uint64_t spool_max;     /* bytes in the file of one stream */
        uint64_t patience_usec; /* how long the others wait for room */
        atomic_uint waiters;
};

/* What stream_read() gives beside bytes. */
#define STREAM_NOTHING ((ssize_t)0)  /* not now; news() will be called */
#define STREAM_END     ((ssize_t)-1) /* all was read */
#define STREAM_FAILED  ((ssize_t)-2) /* there is less than there should be */

/**
 * stream_new() - make one
 * @news: called by the application thread when there is something again after STREAM_NOTHING, or
 *        room again after stream_offer() found none; must not block, and not call the stream
 * @terms: for what stream_write() writes, borrowed; NULL: it waits as long as it takes
 *
 * Return: the stream, freed with stream_free() by whoever is the last of both; NULL when there is
 * no memory.
 */
struct stream *stream_new(void (*news)(void *data), void *data, struct stream_terms *terms);

/** stream_free() - accepts NULL. */
void stream_free(struct stream *stream);

/** stream_write() - waits as long as there is no room. Return: 0, or -EPIPE when the reader is
 * gone or too slow. Application thread. */
int stream_write(struct stream *stream, const void *bytes, size_t size);

/** stream_end() - nothing more comes. @error: a negative errno when it should. Accepts NULL. The
 * writer's thread. */
void stream_end(struct stream *stream, int error);

/** stream_read() - take what is there. Return: bytes, 1 to @size, or one of the above. Loop thread.
 */
ssize_t stream_read(struct stream *stream, void *bytes, size_t size);

/** stream_offer() - give what there is room for. Return: so many bytes; all of them when the reader
 * is gone. Loop thread. */
size_t stream_offer(struct stream *stream, const void *bytes, size_t size);

/** stream_await() - news() is to be called when the reader waits for something. Loop thread. */
void stream_await(struct stream *stream);

/** stream_asked() - whether the reader has ever waited. Any thread. */
bool stream_asked(struct stream *stream);

/** stream_take() - take what is there, wait for something. Return: bytes, 1 to @size; 0 at the end;
 * the error of stream_end(). Application thread. */
ssize_t stream_take(struct stream *stream, void *bytes, size_t size);

/** stream_gave_up() - whether stream_write() has found the reader too slow. Any thread. */
bool stream_gave_up(struct stream *stream);

/** stream_break() - the reader is gone. Accepts NULL. The reader's thread. */
void stream_break(struct stream *stream);
