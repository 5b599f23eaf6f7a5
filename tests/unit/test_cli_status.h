/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two made-up looks for tests of what is made of them: one worker, a second apart. */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/status_look.h"
#include "master/supervise.h"

#define NOW (100 * USEC_PER_SEC)

struct looks {
        struct seen before;
        struct seen now;
        struct seen_worker worker_before;
        struct seen_worker worker;
        struct flight flights[12];
};

static void looks_init(struct looks *looks)
{
        *looks = (struct looks){
                .before = {.taken_usec = NOW - USEC_PER_SEC, .n_workers = 1},
                .now =
                        {
                                .taken_usec = NOW,
                                .n_workers = 1,
                                .master = {.pid = 41,
                                           .generation = 3,
                                           .n_restarts = 1,
                                           .n_wanted = 1,
                                           .backlog = 3,
                                           .started_usec = 7},
                                .log = {.shipped = 9, .capacity = 4096},
                        },
                .worker_before =
                        {
                                .facts = {.pid = 42, .started_usec = 5 * USEC_PER_SEC},
                                .sample = {.taken_usec = NOW - USEC_PER_SEC, .requests = 1000},
                        },
                .worker =
                        {
                                .facts = {.pid = 42,
                                          .worker_id = 1,
                                          .generation = 3,
                                          .state = WORKER_READY,
                                          .n_restarts = 2,
                                          .started_usec = 5 * USEC_PER_SEC},
                                .accepting = true,
                                .connections = 12,
                                .busy = 2,
                                .queued = 4,
                                .responses = {0, 0, 1200, 20, 13, 1},
                                .sample = {.taken_usec = NOW,
                                           .workers = 1,
                                           .busy = 1,
                                           .requests = 1234,
                                           .latency = {[6] = 234}},
                                .log = {.shipped = 1230, .used = 1024, .capacity = 4096},
                        },
        };
        looks->before.workers = &looks->worker_before;
        looks->now.workers = &looks->worker;
        looks->worker.flights = looks->flights;
}

static struct flight *looks_add(struct looks *looks, const char *target, uint64_t age_usec)
{
        struct flight *flight = &looks->flights[looks->worker.n_flights++];

        *flight = (struct flight){
                .state = FLIGHT_RUNNING,
                .target_size = (uint32_t)strlen(target),
                .started_usec = NOW - age_usec,
                .id = "0123456789abcdef",
                .method = "GET",
                .version = "HTTP/1.1",
                .peer = "192.0.2.1",
                .app = "shop",
        };
        (void)snprintf(flight->target, sizeof(flight->target), "%s", target);
        return flight;
}

/* What a function writes of them; to be freed. */
static inline char *looks_written(const struct looks *looks,
                                  void (*write)(FILE *stream, const struct seen *before,
                                                const struct seen *now))
{
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        assert(stream);
        write(stream, &looks->before, &looks->now);
        assert(fclose(stream) == 0 && strlen(text) == size);
        return text;
}
