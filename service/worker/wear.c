/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Three limits, of which the first one that is reached counts. */
#include "worker/wear.h"

#include <stddef.h>

#include "base/clock.h"
#include "config/config.h"
#include "worker/private_memory.h"

void wear_init(struct wear *wear, const struct config *config, uint64_t luck, uint64_t now)
{
        *wear = (struct wear){
                .max_requests = config->server_max_requests,
                .max_memory = config->server_max_memory,
                .old_usec = config->server_max_age > 0 ? now + config->server_max_age : USEC_NEVER,
                .next_look = now,
                .measure = private_memory,
        };
        if (wear->max_requests > 0)
                wear->max_requests += luck % ((uint64_t)config->server_max_requests_jitter + 1);
}

static bool must_look(const struct wear *wear, uint64_t requests)
{
        return wear->max_memory > 0 && requests != wear->requests;
}

static void look(struct wear *wear, uint64_t requests, uint64_t now)
{
        wear->requests = requests;
        wear->next_look = now + WEAR_LOOK_USEC;
        wear->memory = wear->measure();
        wear->above = wear->memory > wear->max_memory ? wear->above + 1 : 0;
}

static enum wear_reason find_reason(const struct wear *wear, uint64_t requests, uint64_t now)
{
        if (wear->max_requests > 0 && requests >= wear->max_requests)
                return WEAR_REQUESTS;
        if (wear->max_memory > 0 && wear->above >= WEAR_LOOKS)
                return WEAR_MEMORY;
        return now >= wear->old_usec ? WEAR_AGE : WEAR_NONE;
}

bool wear_turn(struct wear *wear, uint64_t requests, uint64_t now)
{
        if (wear->reason != WEAR_NONE)
                return false;
        if (must_look(wear, requests) && now >= wear->next_look)
                look(wear, requests, now);
        wear->reason = find_reason(wear, requests, now);
        if (wear->reason == WEAR_NONE)
                return false;
        if (wear->reason != WEAR_MEMORY)
                wear->memory = wear->measure();
        return true;
}

bool wear_condemn(struct wear *wear, enum wear_reason reason)
{
        if (wear_is_urgent(wear->reason))
                return false;
        wear->reason = reason;
        wear->memory = wear->measure();
        return true;
}

uint64_t wear_wake_usec(const struct wear *wear, uint64_t requests)
{
        if (wear->reason != WEAR_NONE)
                return USEC_NEVER;
        if (must_look(wear, requests) && wear->next_look < wear->old_usec)
                return wear->next_look;
        return wear->old_usec;
}

const char *wear_reason_name(enum wear_reason reason)
{
        static const char *const names[WEAR_REASONS_MAX] = {
                [WEAR_NONE] = "none",
                [WEAR_REQUESTS] = "max_requests",
                [WEAR_MEMORY] = "max_memory",
                [WEAR_AGE] = "max_age",
                [WEAR_STUCK] = "request_timeout",
                [WEAR_HUNG] = "watchdog",
        };

        return names[reason];
}
