/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream: the body of a response on its way from the application thread that makes it to the loop
 * thread that sends it.
 *
 * Bounded: the writer waits while the client is slow, and holds nothing but its own thread. The
 * reader never waits; when there is nothing it is told later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream;

/* What stream_read() gives beside bytes. */
#define STREAM_NOTHING ((ssize_t)0)  /* not now; news() will be called */
#define STREAM_END     ((ssize_t)-1) /* all was read */
#define STREAM_FAILED  ((ssize_t)-2) /* there is less than there should be */

/**
 * stream_new() - make one
 * @news: called by the writer when there is something again after STREAM_NOTHING; must not block,
 *        and not call the stream
 *
 * Return: the stream, freed with stream_free() by whoever is the last of both; NULL when there is
 * no memory.
 */
struct stream *stream_new(void (*news)(void *data), void *data);

/** stream_free() - accepts NULL. */
void stream_free(struct stream *stream);

/** stream_write() - waits as long as there is no room. Return: 0, or -EPIPE when the reader is
 * gone. Application thread. */
int stream_write(struct stream *stream, const void *bytes, size_t size);

/** stream_end() - nothing more comes. @failed: although it should. Application thread. */
void stream_end(struct stream *stream, bool failed);

/** stream_read() - take what is there. Return: bytes, 1 to @size, or one of the above. Loop thread.
 */
ssize_t stream_read(struct stream *stream, void *bytes, size_t size);

/** stream_break() - the reader is gone. Accepts NULL. Loop thread. */
void stream_break(struct stream *stream);
