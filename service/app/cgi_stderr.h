/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program prints to its standard error, as records of its request: one a block of lines
 * (log/lines.h). One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/app.h"
#include "log/lines.h"

struct cgi_stderr {
        struct lines lines;
        const struct exchange *exchange;
        pid_t pid;
        uint64_t limit; /* bytes that are kept; 0: all */
        uint64_t taken;
        uint64_t dropped;
};

/** cgi_stderr_begin() - a program was started for a request. */
void cgi_stderr_begin(struct cgi_stderr *errors, const struct exchange *exchange, pid_t pid,
                      uint64_t limit);

/** cgi_stderr_read() - take what is there from @fd, which is non-blocking. Return: whether more may
 * follow. */
bool cgi_stderr_read(struct cgi_stderr *errors, int fd);

/** cgi_stderr_flush() - nothing followed for a while: what looks incomplete is complete. */
void cgi_stderr_flush(struct cgi_stderr *errors);

/** cgi_stderr_waiting() - whether cgi_stderr_flush() has something to do. */
bool cgi_stderr_waiting(const struct cgi_stderr *errors);

/** cgi_stderr_end() - nothing follows any more: record what is held, and how much was dropped. */
void cgi_stderr_end(struct cgi_stderr *errors);
