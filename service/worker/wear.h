/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How worn a worker is: when it has served enough, and a fresh one should take its place.
 *
 * Decides on the numbers that it is given; what is done about it is the master's matter. Loop
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;

/* Memory counts when so many looks in a row, each after further requests, find it above its limit:
 * one large request is no leak. */
#define WEAR_LOOKS     3
#define WEAR_LOOK_USEC ((uint64_t)1000000)

enum wear_reason {
        WEAR_NONE,
        WEAR_REQUESTS,
        WEAR_MEMORY,
        WEAR_AGE,
        WEAR_STUCK, /* a thread of it may be lost: its successor is urgent, as with what follows */
        WEAR_HUNG,  /* an application hangs as a whole */
        WEAR_REASONS_MAX
};

struct wear {
        uint64_t max_requests; /* 0: no limit, as for the others */
        uint64_t max_memory;
        uint64_t old_usec; /* when it has reached its greatest age; USEC_NEVER: no limit */
        uint64_t next_look;
        uint64_t requests; /* at the last look */
        uint64_t memory;   /* then, in bytes */
        unsigned above;    /* looks in a row that found memory above its limit */
        enum wear_reason reason;
        uint64_t (*measure)(void); /* private memory in bytes */
};

/** wear_init() - a fresh worker. @luck: any random number; it chooses within max_requests_jitter.
 */
void wear_init(struct wear *wear, const struct config *config, uint64_t luck, uint64_t now);

/**
 * wear_turn() - look at it, as often as it is worth while
 * @requests: that it has answered
 *
 * Return: whether it is worn since just now; @wear->reason and @wear->memory are set then.
 */
bool wear_turn(struct wear *wear, uint64_t requests, uint64_t now);

/** wear_condemn() - it is worn for an urgent @reason. Return: whether it was not for such a one
 * before. */
bool wear_condemn(struct wear *wear, enum wear_reason reason);

/** wear_is_urgent() - whether it may be of no use any more. */
static inline bool wear_is_urgent(enum wear_reason reason)
{
        return reason == WEAR_STUCK || reason == WEAR_HUNG;
}

/** wear_wake_usec() - when wear_turn() must be called, whatever happens; USEC_NEVER: it need not.
 * @requests: as there. */
uint64_t wear_wake_usec(const struct wear *wear, uint64_t requests);

/** wear_reason_name() - the setting behind it: "max_requests". */
const char *wear_reason_name(enum wear_reason reason);
