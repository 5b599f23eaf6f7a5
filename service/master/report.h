/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The master's events as records: what is told of workers, generations and the configuration, each
 * in one place. */
#pragma once

#include "board/box.h"
#include "config/problems.h"
#include "log/events.h"
#include "log/log.h"

#define TITLE_MAX 32

/** subject_title() - what a process that is supervised is called: "Worker 3". Return: @title. */
const char *subject_title(char title[static TITLE_MAX], const struct record_subject *subject);

/* An event about @subject (NULL: about the service) with nothing but its message, printf-like. */
void report(struct log *log, enum event event, const struct record_subject *subject,
            const char *format, ...) __attribute__((format(printf, 4, 5)));

/** report_problems() - config-refused with all problems. */
void report_problems(struct log *log, const struct problems *problems);

/** report_scaled() - the number of workers has changed by @by and is now @wanted; 0: it stays
 * though somebody asked for another one. */
void report_scaled(struct log *log, int by, unsigned wanted, const char *why);

/** report_cut() - drain-timeout: this worker is aborted, with the requests that @box has in flight.
 */
void report_cut(struct log *log, const struct record_subject *subject, const struct box *box);

/** report_listening() - one address. */
void report_listening(struct log *log, const char *address);

/* A worker that is replaced because it has served enough. */
struct recycled {
        struct record_subject subject;
        const char *reason; /* the setting */
        uint64_t requests;
        uint64_t memory; /* bytes */
        uint64_t age_usec;
};

/** report_recycled() - worker-recycled. */
void report_recycled(struct log *log, const struct recycled *recycled);
