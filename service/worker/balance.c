/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares what the workers publish on the board. */
#include "worker/balance.h"

#include <stdlib.h>

/* By how much a worker may be ahead: of connections two and a sixteenth, of accepted ones one. With
 * less of the first the slower of two workers got 30 % of the short connections (its own last
 * longer), with more those that stay lie less evenly. */
#define CONNECTIONS_SLACK    2
#define CONNECTIONS_FRACTION 16
#define ACCEPTED_SLACK       1

/* Of accepted ones, before one that has more connections: it may be late because the kernel runs
 * something else on its processor, and then nobody would work. With 1 two workers on two processors
 * answered 4 to 5 % fewer short requests of 0.1 ms. */
#define ACCEPTED_SLACK_BUSY 64

/* And of one that steps back, and will see soon that it need not any more. Bursts of 10 connections
 * a worker had at most 1.1 times the mean with 1, 1.3 with 4; it made no difference to short ones
 * (13,000 to 25,000 a second, 2 to 16 workers on 2 processors). */
#define STEPS_BACK_SLACK 1

struct sibling {
        struct board_slot *slot;
        bool awaited; /* it was its turn when we stepped back, at: */
        bool ignored; /* it did not come; it has still accepted: */
        uint64_t accepted;
};

struct balance {
        struct board_slot *own;
        unsigned n;
        struct sibling siblings[];
};

static uint32_t connections_of(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->connections, memory_order_relaxed);
}

static uint64_t accepted_by(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->accepted, memory_order_relaxed);
}

static bool relieved(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->relieved, memory_order_relaxed) != 0;
}

static unsigned accepted_slack(uint32_t theirs, uint32_t connections)
{
        return theirs > connections ? ACCEPTED_SLACK_BUSY : ACCEPTED_SLACK;
}

static bool takes_part(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->accepting, memory_order_relaxed) != 0;
}

/* A new worker begins with what the others have, or it would get all connections at first. */
static void level(struct balance *balance)
{
        uint64_t most = 0;

        for (unsigned i = 0; i < balance->n; i++) {
                const struct board_slot *slot = balance->siblings[i].slot;

                if (takes_part(slot) && accepted_by(slot) > most)
                        most = accepted_by(slot);
        }
        atomic_store_explicit(&balance->own->accepted, most, memory_order_relaxed);
}

struct balance *balance_new(struct board *board, struct board_slot *own)
{
        unsigned n_slots = board_n_slots(board);
        struct balance *balance =
                calloc(1, sizeof(*balance) + n_slots * sizeof(balance->siblings[0]));

        if (!balance)
                return NULL;
        balance->own = own;
        for (unsigned i = 0; i < n_slots; i++)
                if (board_slot(board, i) != own)
                        balance->siblings[balance->n++].slot = board_slot(board, i);
        level(balance);
        return balance;
}

void balance_free(struct balance *balance)
{
        free(balance);
}

/* Whether it is this one's turn rather than ours. Should each of some be before another one, they
 * step back one by one, and then the fewest connections decide alone. */
static bool before_us(const struct sibling *sibling, const struct board_slot *own)
{
        const struct board_slot *slot = sibling->slot;
        uint32_t theirs = connections_of(slot), connections = connections_of(own);
        uint64_t accepted = accepted_by(own);

        if (!takes_part(slot) || (sibling->ignored && sibling->accepted == accepted_by(slot)))
                return false;
        if (relieved(slot) != relieved(own))
                return relieved(own);
        if (atomic_load_explicit(&slot->steps_back, memory_order_relaxed))
                return theirs + theirs / CONNECTIONS_FRACTION + STEPS_BACK_SLACK < connections;
        return theirs + theirs / CONNECTIONS_FRACTION + CONNECTIONS_SLACK < connections ||
               (theirs <= connections + CONNECTIONS_SLACK &&
                accepted_by(slot) + accepted_slack(theirs, connections) < accepted);
}

bool balance_ahead(const struct balance *balance)
{
        for (unsigned i = 0; i < balance->n; i++)
                if (before_us(&balance->siblings[i], balance->own))
                        return true;
        return false;
}

void balance_step_back(struct balance *balance)
{
        for (unsigned i = 0; i < balance->n; i++) {
                struct sibling *sibling = &balance->siblings[i];

                sibling->awaited = before_us(sibling, balance->own);
                if (sibling->awaited)
                        sibling->accepted = accepted_by(sibling->slot);
        }
        atomic_store_explicit(&balance->own->steps_back, 1, memory_order_relaxed);
}

void balance_return(struct balance *balance, bool left)
{
        atomic_store_explicit(&balance->own->steps_back, 0, memory_order_relaxed);
        for (unsigned i = 0; left && i < balance->n; i++) {
                struct sibling *sibling = &balance->siblings[i];

                if (sibling->awaited)
                        sibling->ignored = sibling->accepted == accepted_by(sibling->slot);
        }
}

void balance_count(struct balance *balance)
{
        atomic_store_explicit(&balance->own->accepted, accepted_by(balance->own) + 1,
                              memory_order_relaxed);
}
