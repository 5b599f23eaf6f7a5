/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The accept gate: takes connections from the shared listening sockets such that they spread evenly
 * over the workers.
 *
 * All workers share the listeners; whoever woke first would take a whole burst and, with
 * keep-alive, keep it (0/92/0/8 % over four workers, measured). So a worker steps back while it is
 * the turn of another one (balance.h), but not for long: one that hangs must not starve the queue.
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "board/board.h"
#include "worker/endpoint.h"
#include "worker/loop.h"

struct acceptor;

struct acceptor_options {
        struct loop *loop;
        struct board *board;
        struct board_slot
                *slot; /* own; its number of connections is kept up by whoever counts them */
        const struct endpoint *endpoints; /* borrowed */
        size_t n_endpoints;
        unsigned limit;   /* more connections are not taken while a sibling has room */
        unsigned surplus; /* beyond it: to tell clients, rather than let them wait, that all are
                             full */
        /* Gets each new connection and owns its descriptor from then on. */
        void (*connected)(void *data, const struct endpoint *endpoint, int fd,
                          const struct sockaddr *address, socklen_t size);
        void *data;
};

/** acceptor_new() - begin to accept. @ret: ended with acceptor_free(), untouched on failure.
 * Return: 0, or a negative errno. */
int acceptor_new(struct acceptor **ret, const struct acceptor_options *options);

/** acceptor_free() - stop accepting; what is in the listen queue is left to the siblings and
 * successors. Accepts NULL. */
void acceptor_free(struct acceptor *acceptor);

/** acceptor_turn() - to be called once a turn: ends a step-back that is over. */
void acceptor_turn(struct acceptor *acceptor, uint64_t now);

/** acceptor_settle() - to be called before the loop waits: tells the kernel whether connections are
 * awaited. Most step-backs are over by then. */
void acceptor_settle(struct acceptor *acceptor);

/** acceptor_wake_usec() - when acceptor_turn() has something to do next; USEC_NEVER: by event only.
 */
uint64_t acceptor_wake_usec(const struct acceptor *acceptor);
