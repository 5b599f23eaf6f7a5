/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console as a sink: a line a record on standard error, with the same content as the journal's
 * entry. Owner of the log only.
 *
 * Nothing that a record holds can look like another record: control bytes are escaped as \xNN, and
 * what follows a newline of MESSAGE is indented. So is the continuation of a line that is too long
 * for one write(); every write ends with a line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console {
        int fd;
        bool colour;
        char *rest; /* of a line whose beginning has been written */
        size_t rest_size;
        size_t rest_written;
};

/** console_init() - a sink on @fd, which is borrowed; coloured on a terminal unless NO_COLOR is
 * set. */
void console_init(struct console *console, int fd);

/** console_done() - forget the rest of a line that could not be written. */
void console_done(struct console *console);

/**
 * console_send() - write one record as a line, or keep what cannot be written of it now
 * @usec: CLOCK_REALTIME of it
 *
 * Never waits for a reader. Return: 0; -EAGAIN when nothing of it could be written now; another
 * negative errno when it never can.
 */
int console_send(struct console *console, const void *record, size_t size, uint64_t usec);

/** console_flush() - write what is left of the last line. Return: 0; -EAGAIN when something is
 * still left; another negative errno when it was given up because nobody reads. */
int console_flush(struct console *console);
