/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One look through the window of a running master: all that is there to be seen, copied.
 *
 * What the shared memory says may be wrong and may change at any time, so everything is validated
 * or copied before it is used; strings are of clients and may hold any byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board/flight.h"
#include "log/log.h"
#include "master/status.h"
#include "master/window.h"

struct seen_worker {
        struct window_message facts; /* what the master knows; its state is a worker_state */
        bool accepting;
        uint32_t connections;
        uint32_t busy;
        uint32_t queued;
        uint64_t responses[6];
        struct status_sample sample;
        struct log_counters log;
        struct flight *flights; /* oldest first */
        size_t n_flights;
};

/* One a generation; those of many reloads in a row are gone soon. */
#define TEMPLATES_MAX 16

struct seen {
        uint64_t taken_usec;
        struct window_message master;
        struct log_counters log; /* the master's */
        struct seen_worker *workers;
        struct window_message templates[TEMPLATES_MAX]; /* processes that workers are forked from */
        size_t n_templates;
        size_t n_workers;  /* sorted by generation and id */
        uint64_t n_unseen; /* processes and boards that the master could not send */
};

/**
 * status_look() - look once
 * @ret: freed with seen_free(), untouched on failure
 *
 * Return: 0; -EPROTONOSUPPORT when the server is of another version, -EBUSY when too many look,
 * -EAGAIN when the master does not answer, -EBADMSG when it is no master, -ENAMETOOLONG, or another
 * negative errno of connect(2).
 */
int status_look(struct seen **ret, const char *path);

/** status_connect() - its first half. Return: a descriptor, or a negative errno. */
int status_connect(const char *path);

/** status_receive() - its second half. */
int status_receive(struct seen **ret, int fd);

/** seen_free() - free one; accepts NULL. */
void seen_free(struct seen *seen);

/** seen_age() - how long ago @since_usec was at the look; 0 when it came after it. */
uint64_t seen_age(const struct seen *seen, uint64_t since_usec);

/** seen_before() - what a worker had counted at an earlier look; zeros when it was not there. */
struct status_sample seen_before(const struct seen *earlier, const struct seen_worker *worker);

/* The sums over the workers that serve. */
struct seen_total {
        struct status_sample before; /* of the same processes */
        struct status_sample now;
        uint64_t in_flight; /* over all processes */
        uint64_t queued;    /* likewise: requests that wait for a thread */
};

void seen_sum(struct seen_total *ret, const struct seen *earlier, const struct seen *now);
