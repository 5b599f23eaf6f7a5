/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The in-flight table: what is known of every request that is not over, in memory that outlives the
 * worker.
 *
 * A request has a slot from its request line until its access record is in the log or is counted as
 * lost, which its ticket says. Written by the worker (its loop thread; `thread` by the application
 * thread), read by anybody at any time and by the master after the worker's death: a reader trusts
 * nothing, flight_read() gives it a copy that keeps within its limits.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "board/ticket.h"

/* Of the target the beginning is kept: what a person needs to recognise the request. */
#define FLIGHT_TARGET_MAX 700

/* Of a REQUEST_ID, with the NUL. */
#define FLIGHT_ID_MAX 65

enum flight_state {
        FLIGHT_FREE,
        FLIGHT_BEGUN,    /* the request line is there */
        FLIGHT_WAITING,  /* for an application thread */
        FLIGHT_RUNNING,  /* in the application */
        FLIGHT_ANSWERED, /* the answer is being sent: its status is the one that the client sees */
        FLIGHT_STATES_MAX
};

struct flight {
        _Atomic uint32_t state;
        _Atomic uint32_t status; /* of the answer; 0: none yet */
        _Atomic uint64_t response_bytes;
        _Atomic int32_t thread; /* gettid() of the application thread; 0: none has it */
        uint32_t target_size;   /* all of it, also what is not kept */
        uint64_t started_usec;  /* CLOCK_MONOTONIC */
        struct ticket ticket;
        _Atomic int32_t group;    /* of processes that work for it; 0: none */
        _Atomic uint32_t renamed; /* 1: given_id counts, and is whole */
        char id[FLIGHT_ID_MAX];
        char given_id[FLIGHT_ID_MAX]; /* by the proxy in front */
        char method[24];
        char version[16];
        char peer[48];
        char app[40];
        char target[FLIGHT_TARGET_MAX];
};

/* One worker's table. */
struct flights {
        struct flight *table; /* in the black box */
        unsigned n;
        _Atomic uint32_t *used; /* slots that were ever taken */
        unsigned *vacant;       /* a stack of the free ones: the last freed is warm */
        unsigned n_vacant;
};

/** flights_init() - take the @n slots at @table, which are zeroed, into use; @used is kept up.
 * Return: 0 or -ENOMEM. */
int flights_init(struct flights *flights, struct flight *table, unsigned n, _Atomic uint32_t *used);

/** flights_done() - free what flights_init() allocated. */
void flights_done(struct flights *flights);

/**
 * flight_begin() - a slot for a request that has begun
 * @target: not NUL-terminated; may be NULL
 *
 * Return: the slot; NULL when all are taken, which never happens with one for each connection.
 */
struct flight *flight_begin(struct flights *flights, const char *id, const char *peer,
                            const char *target, size_t target_size, uint64_t started_usec);

/** flight_describe() - what the head says of it. @app: NULL when there is none. NULL for @flight
 * does nothing, as with all that follow. */
void flight_describe(struct flight *flight, const char *method, const char *version,
                     const char *app);

/** flight_rest() - the application is done with it: what happens to the thread from now on is not
 * about this request. */
void flight_rest(struct flight *flight);

/** flight_set_peer() - the client is not who the connection is with. */
void flight_set_peer(struct flight *flight, const char *peer);

/** flight_rename() - the request has another id than it began with; once. */
void flight_rename(struct flight *flight, const char *id);

void flight_set_state(struct flight *flight, enum flight_state state);

/** flight_run() - the calling thread works on it now. */
void flight_run(struct flight *flight);

/** flight_answer() - the answer is about to be sent. */
void flight_answer(struct flight *flight, unsigned status, uint64_t response_bytes);

/** flight_end() - its record has been committed: give the slot back. */
void flight_end(struct flights *flights, struct flight *flight);

/** flight_read() - copy a slot of another process; all strings in the copy end, and all but the
 * target are without control bytes, all numbers are in range. Return: whether a request is in it.
 */
bool flight_read(const struct flight *flight, struct flight *copy);

/** flight_state_name() - "running". */
const char *flight_state_name(enum flight_state state);
