/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events written to the log. What a full log drops is counted there, so results are ignored. */
#include "master/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "master/obituary.h"

#define MESSAGE_MAX 1024

static const struct record_subject nobody = {0};

const char *subject_title(char title[static TITLE_MAX], const struct record_subject *subject)
{
        if (subject->worker_id > 0)
                (void)snprintf(title, TITLE_MAX, "Worker %u", subject->worker_id);
        else
                (void)snprintf(title, TITLE_MAX, "The template process");
        return title;
}

void report(struct log *log, enum event event, const struct record_subject *subject,
            const char *format, ...)
{
        char message[MESSAGE_MAX];
        struct record record;
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        record_event(&record, event, subject ? subject : &nobody);
        record_string(&record, "MESSAGE", message);
        (void)log_commit(log, &record);
}

/* One line a problem. NULL: there is no memory for the list. */
static char *join(const struct problems *problems)
{
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        if (!stream)
                return NULL;
        for (size_t i = 0; i < problems->n; i++)
                (void)fprintf(stream, "%s%s", i > 0 ? "\n" : "", problems->texts[i]);
        if (fclose(stream) == 0)
                return text;
        free(text);
        return NULL;
}

void report_problems(struct log *log, const struct problems *problems)
{
        const char *first = problems->n > 0 ? problems->texts[0] : "out of memory";
        size_t more = problems->n + problems->n_lost;
        _cleanup_free_ char *all = join(problems);
        struct record record;

        record_event(&record, EVENT_CONFIG_REFUSED, &nobody);
        if (more > 1)
                record_format(&record, "MESSAGE", "Configuration refused: %s (and %zu more)", first,
                              more - 1);
        else
                record_format(&record, "MESSAGE", "Configuration refused: %s", first);
        record_string(&record, "PROBLEMS", all);
        (void)log_commit(log, &record);
}

void report_scaled(struct log *log, int by, unsigned wanted, const char *why)
{
        struct record record;

        record_event(&record, EVENT_SCALED, &nobody);
        record_number(&record, "WORKERS", wanted);
        record_format(&record, "MESSAGE", "%s %u worker%s: %s",
                      by == 0  ? "The limit is reached, still"
                      : by > 0 ? "Up to"
                               : "Down to",
                      wanted, wanted == 1 ? "" : "s", why);
        (void)log_commit(log, &record);
}

void report_cut(struct log *log, const struct record_subject *subject, const struct box *box)
{
        char requests[OBITUARY_LINES_MAX], title[TITLE_MAX];
        unsigned n = obituary_requests(requests, sizeof(requests), box);
        struct record record;

        record_event(&record, EVENT_DRAIN_TIMEOUT, subject);
        record_number(&record, "IN_FLIGHT", n);
        record_string(&record, "REQUESTS", n > 0 ? requests : NULL);
        record_format(&record, "MESSAGE",
                      "%s (pid %d) did not end within graceful_timeout, it is aborted; %u "
                      "request%s in flight",
                      subject_title(title, subject), subject->worker_pid, n, n == 1 ? "" : "s");
        (void)log_commit(log, &record);
}

void report_listening(struct log *log, const char *address)
{
        struct record record;

        record_event(&record, EVENT_LISTENING, &nobody);
        record_string(&record, "ADDRESS", address);
        record_format(&record, "MESSAGE", "Listening on %s", address);
        (void)log_commit(log, &record);
}

void report_recycled(struct log *log, const struct recycled *recycled)
{
        const struct record_subject *subject = &recycled->subject;
        struct record record;

        record_event(&record, EVENT_WORKER_RECYCLED, subject);
        record_string(&record, "REASON", recycled->reason);
        record_number(&record, "REQUEST_COUNT", recycled->requests);
        record_number(&record, "MEMORY_BYTES", recycled->memory);
        record_number(&record, "AGE_USEC", recycled->age_usec);
        record_format(&record, "MESSAGE",
                      "Worker %u (pid %d) is replaced by a fresh one: %s; %" PRIu64
                      " requests, %.1f MiB of its own, %.1f s old",
                      subject->worker_id, subject->worker_pid, recycled->reason, recycled->requests,
                      (double)recycled->memory / (double)(1 << 20),
                      (double)recycled->age_usec / (double)USEC_PER_SEC);
        (void)log_commit(log, &record);
}
