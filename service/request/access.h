/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The access record: what is told of a request when it is over. Pure: builds a record, does not
 * commit it. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/record.h"
#include "request/program.h"
#include "request/request.h"
#include "request/response.h"

enum outcome {
        OUTCOME_OK,
        OUTCOME_CLIENT_ABORT,
        OUTCOME_TIMEOUT,
        OUTCOME_WORKER_DIED,
        OUTCOME_SHUTDOWN,
        OUTCOME_REJECTED,
        OUTCOME_APP_FAILED, /* after the response had begun */
};

/* What is known of a request that is over. */
struct access {
        const struct request *request; /* method and target may be NULL when the head was refused
                                          before they were known */
        enum outcome outcome;
        int status;
        uint64_t response_bytes; /* of the body, handed to the kernel */
        uint64_t duration_usec;
        const char *app;       /* NULL: none was found */
        const char *reason;    /* why it was refused, appended to MESSAGE; may be NULL */
        unsigned sample;       /* the record stands for so many requests; 0 or 1: for this one */
        unsigned extra_fields; /* EXTRA_FIELD_* bits */
        struct program_end program; /* the CGI program that ran for it */
};

/**
 * access_wanted() - whether a request gets an access record
 * @policy: config->log_access
 * @access: outcome and status are set; its sample is set
 * @well:   requests that went well so far, counted up
 */
bool access_wanted(uint32_t policy, struct access *access, uint64_t *well);

/**
 * access_record() - build the access record
 * @arena: for the escaped MESSAGE; may run out, then the target in MESSAGE is cut and marked
 *
 * In MESSAGE bytes that are not printable ASCII appear as \xNN and a backslash as \\, so that a
 * line stays a line.
 */
void access_record(struct record *record, const struct access *access,
                   const struct record_subject *subject, struct arena *arena);

/** outcome_name() - "client-abort". */
const char *outcome_name(enum outcome outcome);
