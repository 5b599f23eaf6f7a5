/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The obituary: what is told of a process that ended, out of how it ended and what its black box
 * says. */
#pragma once

#include "board/box.h"
#include "log/output.h"
#include "log/record.h"
#include "master/recover.h"
#include "request/access.h"

/* Requests that are listed by name; of more the number is told. */
#define OBITUARY_REQUESTS_MAX 16

/* Room for these, a line each. */
#define OBITUARY_LINES_MAX 8192

/* Texts that the record refers to. */
struct obituary {
        char cause[64 + CORE_NAME_MAX];
        char requests[OBITUARY_LINES_MAX];
        char ids[OBITUARY_REQUESTS_MAX][FLIGHT_ID_MAX];
        char stack[BOX_STACK_SIZE];
        char output[OUTPUT_TAIL_MAX];
        unsigned in_flight; /* how many requests it still had */
        unsigned suspects;  /* of these, those that it may have been working on when it was hit */
        struct flight culprit; /* when there is one suspect */
};

/**
 * obituary_record() - the event that tells of the end: worker-exited when it ended as it was told,
 * else worker-died; of a master only what it left: master-died
 * @texts: must outlive the encoding of the record
 */
void obituary_record(struct record *record, struct obituary *texts, const struct death *death,
                     const struct box *box);

/**
 * obituary_access() - the access record of a request that was in flight
 * @request: is filled in; it, @arena and @flight must outlive the encoding of the record
 * @flight:  a copy by flight_read()
 */
void obituary_access(struct record *record, struct request *request, const struct flight *flight,
                     const struct death *death, struct arena *arena);

/** obituary_requests() - the requests that @box has in flight, one line each, as far as they are
 * listed by name. @lines: of @size. Return: how many there are. */
unsigned obituary_requests(char *lines, size_t size, const struct box *box);
