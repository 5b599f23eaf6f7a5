/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the pipe into lines, from lines into records. What is beyond the limit is read all the same:
 * a program that cannot print would wait. */
#include "app/cgi_stderr.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "app/kind.h"
#include "log/output.h"

/* Reads until the other streams of the program have their turn. */
#define READS_PER_TURN 16

enum { PRIORITY_WARNING = 4 };

void cgi_stderr_begin(struct cgi_stderr *errors, const struct exchange *exchange, pid_t pid,
                      uint64_t limit)
{
        lines_init(&errors->lines);
        errors->exchange = exchange;
        errors->pid = pid;
        errors->limit = limit;
        errors->taken = errors->dropped = 0;
}

/* MESSAGE is missing. */
static void begin_record(struct record *record, const struct cgi_stderr *errors, int priority)
{
        const struct app *app = errors->exchange->app;

        output_record(record, &app->host->subject, OUTPUT_STDERR, app_name(app), priority);
        record_string(record, "REQUEST_ID", errors->exchange->request->id);
        record_number(record, "CGI_PID", (uint64_t)errors->pid);
}

static void commit(struct cgi_stderr *errors, bool flush)
{
        struct lines_block block;
        struct record record;

        while (lines_next(&errors->lines, flush, &block)) {
                begin_record(&record, errors, block.priority);
                if (block.cut)
                        record_string(&record, "CUT", "1");
                record_bytes(&record, "MESSAGE", block.text, block.size);
                (void)log_commit(errors->exchange->app->host->log, &record);
                lines_take(&errors->lines);
        }
}

/* As much of what was read as may still be kept. */
static size_t allowed(struct cgi_stderr *errors, size_t size)
{
        uint64_t left = errors->limit - errors->taken;

        if (errors->limit > 0 && size > left) {
                errors->dropped += size - left;
                size = (size_t)left;
        }
        errors->taken += size;
        return size;
}

bool cgi_stderr_read(struct cgi_stderr *errors, int fd)
{
        for (unsigned reads = 0; reads < READS_PER_TURN; reads++) {
                size_t size;
                char *room = lines_room(&errors->lines, &size);
                ssize_t n = read(fd, room, size);

                if (n < 0)
                        return errno == EAGAIN || errno == EINTR;
                if (n == 0)
                        return false;
                lines_add(&errors->lines, allowed(errors, (size_t)n));
                commit(errors, false);
        }
        return true;
}

void cgi_stderr_flush(struct cgi_stderr *errors)
{
        commit(errors, true);
}

bool cgi_stderr_waiting(const struct cgi_stderr *errors)
{
        return lines_waiting(&errors->lines);
}

void cgi_stderr_end(struct cgi_stderr *errors)
{
        struct record record;

        commit(errors, true);
        if (errors->dropped == 0)
                return;
        begin_record(&record, errors, PRIORITY_WARNING);
        record_format(&record, "MESSAGE",
                      "%" PRIu64 " bytes more of standard error were dropped, beyond error_limit",
                      errors->dropped);
        (void)log_commit(errors->exchange->app->host->log, &record);
}
