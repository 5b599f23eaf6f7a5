/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one line that `systemctl status` shows: workers, load, latency, backlog, log. Pure but for
 * reading the board. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "board/board.h"
#include "master/scale.h"

/* The sums over all workers at one moment. */
struct status_sample {
        uint64_t taken_usec;
        unsigned wanted; /* workers; 0: not known */
        unsigned least;  /* of them, where the load decides; 0: it does not */
        unsigned most;
        unsigned workers; /* that serve */
        unsigned busy;    /* of these, with an application thread at work */
        uint64_t requests;
        uint64_t log_lost;
        uint64_t latency[BOARD_LATENCY_BUCKETS];
};

/** status_add() - add a serving worker's numbers. */
void status_add(struct status_sample *sample, const struct board_slot *slot);

/** status_wanted() - how many workers there should be. */
void status_wanted(struct status_sample *sample, const struct scale *scale);

/** status_rate() - requests a second between the two. */
uint64_t status_rate(const struct status_sample *before, const struct status_sample *now);

/** status_latency_usec() - what the share @share (0 to 1) of the requests between the two stayed
 * below; 0 when there were none. */
uint64_t status_latency_usec(const struct status_sample *before, const struct status_sample *now,
                             double share);

/** status_p99_usec() - that of 99 % of them. */
uint64_t status_p99_usec(const struct status_sample *before, const struct status_sample *now);

/**
 * status_format() - "4 workers (1 busy), 1,234 req/s, p99 8 ms, backlog 0, log ok"
 *
 * "3 of 4 workers" when some are missing, "4 workers of 2-8" where the load decides.
 * Rates are those between the two samples; numbers that went back, as those of a replaced worker
 * do, count from zero. @backlog: as listen_backlog() says; UINT64_MAX leaves it out.
 */
void status_format(char *text, size_t size, const struct status_sample *before,
                   const struct status_sample *now, uint64_t backlog);
