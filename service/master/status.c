/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status line out of two samples of the board. */
#include "master/status.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* 20 digits with a comma after each three. */
#define GROUPED_MAX 32

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
        return atomic_load_explicit(counter, memory_order_relaxed);
}

void status_add(struct status_sample *sample, const struct board_slot *slot)
{
        sample->workers++;
        sample->busy += atomic_load_explicit(&slot->busy, memory_order_relaxed) > 0;
        sample->requests += read_counter(&slot->requests);
        sample->log_lost += read_counter(&slot->log_lost);
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                sample->latency[i] += read_counter(&slot->latency[i]);
}

void status_wanted(struct status_sample *sample, const struct scale *scale)
{
        sample->wanted = scale->wanted;
        sample->least = scale->bounds.follows_load ? scale->bounds.min : 0;
        sample->most = scale->bounds.follows_load ? scale->bounds.max : 0;
}

static uint64_t increase(uint64_t before, uint64_t now)
{
        return now >= before ? now - before : now;
}

static char *grouped(uint64_t number, char text[static GROUPED_MAX])
{
        char digits[GROUPED_MAX];
        size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
        char *to = text;

        for (size_t i = 0; i < n; i++) {
                if (i > 0 && (n - i) % 3 == 0)
                        *to++ = ',';
                *to++ = digits[i];
        }
        *to = '\0';
        return text;
}

uint64_t status_rate(const struct status_sample *before, const struct status_sample *now)
{
        uint64_t requests = increase(before->requests, now->requests);
        uint64_t usec = increase(before->taken_usec, now->taken_usec);

        return usec == 0 ? 0 : (requests * USEC_PER_SEC + usec / 2) / usec;
}

uint64_t status_latency_usec(const struct status_sample *before, const struct status_sample *now,
                             double share)
{
        uint64_t buckets[BOARD_LATENCY_BUCKETS];

        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                buckets[i] = increase(before->latency[i], now->latency[i]);
        return board_percentile(buckets, share);
}

uint64_t status_p99_usec(const struct status_sample *before, const struct status_sample *now)
{
        return status_latency_usec(before, now, 0.99);
}

/* Nothing was answered in between: there is no latency to tell. */
static void format_latency(char *text, size_t size, uint64_t usec)
{
        if (usec == 0)
                text[0] = '\0';
        else if (usec < USEC_PER_MSEC)
                (void)snprintf(text, size, ", p99 %" PRIu64 " us", usec);
        else
                (void)snprintf(text, size, ", p99 %" PRIu64 " ms",
                               (usec + USEC_PER_MSEC / 2) / USEC_PER_MSEC);
}

static void format_backlog(char *text, size_t size, uint64_t backlog)
{
        char waiting[GROUPED_MAX];

        text[0] = '\0';
        if (backlog != UINT64_MAX)
                (void)snprintf(text, size, ", backlog %s", grouped(backlog, waiting));
}

/* "3 of 4 workers of 2-8" */
static void format_workers(char *text, size_t size, const struct status_sample *now)
{
        bool missing = now->wanted > now->workers;
        char wanted[32] = "", range[32] = "";

        if (missing)
                (void)snprintf(wanted, sizeof(wanted), " of %u", now->wanted);
        if (now->most > 0)
                (void)snprintf(range, sizeof(range), " of %u-%u", now->least, now->most);
        (void)snprintf(text, size, "%u%s worker%s%s (%u busy)", now->workers, wanted,
                       (missing ? now->wanted : now->workers) == 1 ? "" : "s", range, now->busy);
}

void status_format(char *text, size_t size, const struct status_sample *before,
                   const struct status_sample *now, uint64_t backlog)
{
        char requests[GROUPED_MAX], lost[GROUPED_MAX], workers[128], latency[64], waiting[64];
        bool whole = now->log_lost == 0;

        format_workers(workers, sizeof(workers), now);
        format_latency(latency, sizeof(latency), status_p99_usec(before, now));
        format_backlog(waiting, sizeof(waiting), backlog);
        (void)snprintf(text, size, "%s, %s req/s%s%s, log%s %s%s", workers,
                       grouped(status_rate(before, now), requests), latency, waiting,
                       whole ? "" : ":", whole ? "ok" : grouped(now->log_lost, lost),
                       whole ? "" : " lost");
}
