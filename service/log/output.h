/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application prints, as records: one a block of lines (log/lines.h).
 *
 * Bytes that were read from the pipe and are not records yet lie in memory that outlives the
 * process, so that the last words of a crashed one are complete: the master goes on where it was
 * stopped. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "log/log.h"

enum { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAMS };

/* The end of all that was printed, for who wants to tell of a process's end. */
#define OUTPUT_TAIL_MAX 1024

struct output_memory;

struct output {
        struct output_memory *memory; /* output_memory_size() bytes that outlive the process, zeroed
                                         at first */
        struct log *log;
        struct record_subject subject;
};

size_t output_memory_size(void);

/**
 * output_record() - begin a record of what was printed; MESSAGE is missing
 * @app:      "": of several, nobody knows
 * @priority: -1: the usual one of the stream
 */
void output_record(struct record *record, const struct record_subject *subject, unsigned stream,
                   const char *app, int priority);

/** output_begin() - the records say that they are of @app (NULL: of several, nobody knows). */
void output_begin(struct output *output, const char *app);

/** output_adopt() - go on with what a dead process left. Its memory may hold anything. */
void output_adopt(struct output *output);

/**
 * output_read() - read once from @fd, which is non-blocking
 *
 * Return: bytes; 0 at the end of the stream; -EAGAIN when nothing is there, -ENOBUFS when
 * output_commit() has to make room first, or another negative errno.
 */
ssize_t output_read(struct output *output, unsigned stream, int fd);

/**
 * output_commit() - commit the blocks of a stream that are complete
 * @flush: nothing follows for now: what looks incomplete is complete
 * @wait:  as the log's overflow setting says; else give up when there is no room now
 *
 * Return: 0, or -EAGAIN when there was no room, only without @wait.
 */
int output_commit(struct output *output, unsigned stream, bool flush, bool wait);

/** output_waiting() - whether something is held back that only a flush commits. */
bool output_waiting(const struct output *output, unsigned stream);

/** output_tail() - the end of what was printed, whole lines if possible, without the last newline.
 * Return: its size. */
size_t output_tail(const struct output_memory *memory, char text[static OUTPUT_TAIL_MAX]);
