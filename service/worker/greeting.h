/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Greetings: connections whose PROXY header is awaited, which says who the client behind the
 * balancer is. Only then they are handed on, with that address. Loop thread.
 *
 * Of the bytes that arrive only those of the header are taken from the socket: what is behind it is
 * the beginning of a request, or of a handshake.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/address_set.h"
#include "worker/endpoint.h"
#include "worker/loop.h"

struct greeting;

/* How a connection ended that was not handed on. */
enum greeting_end {
        GREETING_STRANGER,  /* its peer must not send a header */
        GREETING_MALFORMED, /* it began with something else */
        GREETING_LEFT,      /* closed in the middle of it */
        GREETING_EXPIRED,   /* took too long */
};

struct greetings_options {
        struct loop *loop;
        const struct address_set *trusted; /* who may send headers */
        uint64_t timeout;                  /* for a whole header */

        /* Gets a connection whose header was read, with the descriptor. */
        void (*greeted)(void *data, const struct endpoint *endpoint, int fd,
                        const struct sockaddr *address, socklen_t size);
        /* Told of one that was closed; @peer is the one that was connected. */
        void (*ended)(void *data, enum greeting_end end, const struct sockaddr *peer,
                      uint64_t since);
        void *data;
};

TAILQ_HEAD(greeting_list, greeting);

struct greetings {
        struct greetings_options options;
        struct greeting_list waiting; /* oldest first */
        unsigned n;
        bool draining;
};

/** greetings_init() - none yet. What @options points to is borrowed. */
void greetings_init(struct greetings *greetings, const struct greetings_options *options);

/** greetings_done() - close all. */
void greetings_done(struct greetings *greetings);

/** greetings_add() - wait for the header of a new connection; takes its descriptor over. */
void greetings_add(struct greetings *greetings, const struct endpoint *endpoint, int fd,
                   const struct sockaddr *peer, socklen_t size);

/** greetings_drain() - from now on a header is waited for no longer than the first request of a
 * connection is. */
void greetings_drain(struct greetings *greetings);

/** greetings_turn() - end those whose time is up; to be called between two turns of the loop. */
void greetings_turn(struct greetings *greetings, uint64_t now);

/** greetings_wake_usec() - when greetings_turn() has something to do; USEC_NEVER. */
uint64_t greetings_wake_usec(const struct greetings *greetings);
