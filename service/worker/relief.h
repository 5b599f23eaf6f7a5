/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The relief of a worker that has more work than the others: some of the connections that keep it
 * busy end with their next answer, and come back to another worker.
 *
 * New connections are spread when they are accepted (balance.h); what they bring later may be
 * anything, and for hours. Work is what the processor does and what application threads have or
 * queue. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"

struct relief {
        struct board *board;
        struct board_slot *slot;
        uint64_t looked;         /* when the workers were compared last */
        uint64_t processor_usec; /* that this process had used then */
        uint64_t handled_usec;   /* of all requests since, in queue and application */
        unsigned span;           /* counts the looks, from 1 */
        unsigned active;         /* connections that had a further answer since */
        unsigned ahead;          /* looks in a row that found too much work here */
        unsigned excess;         /* connections that are to end before the next */
};

/** relief_init() - @board, @slot: borrowed */
void relief_init(struct relief *relief, struct board *board, struct board_slot *slot, uint64_t now);

/** relief_handled() - a request was with its application, queue included, for so long. */
void relief_handled(struct relief *relief, uint64_t usec);

/** relief_answered() - a connection that had answers before has one more. @span: the connection's
 * own, 0 at first */
void relief_answered(struct relief *relief, unsigned *span);

/** relief_ends() - whether the connection that is about to be answered is to end with that. */
bool relief_ends(struct relief *relief, unsigned span);

/** relief_turn() - compare the workers now and then. */
void relief_turn(struct relief *relief, uint64_t now);

/** relief_wake_usec() - when relief_turn() has something to do, even if nothing happens. */
uint64_t relief_wake_usec(const struct relief *relief);
