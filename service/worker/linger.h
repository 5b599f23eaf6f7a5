/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections that were answered before all of their request was read: what else comes is thrown
 * away for a while. Closed at once, they would be reset by the kernel, and the client, still
 * sending, would see that instead of the answer (RFC 9112 9.6). Loop thread.
 */
#pragma once

#include <stdint.h>

#include "worker/loop.h"

struct lingering;

struct lingers {
        struct loop *loop;
        struct lingering *first; /* newest first */
        unsigned n;
};

/** lingers_init() - none yet. @loop: borrowed. */
void lingers_init(struct lingers *lingers, struct loop *loop);

/** lingers_done() - close all. */
void lingers_done(struct lingers *lingers);

/**
 * lingers_add() - let a connection linger
 * @fd: borrowed, a copy is kept; its owner closes it when this returns
 *
 * When there are too many, or no descriptor is left, the connection does not linger.
 */
void lingers_add(struct lingers *lingers, int fd);

/** lingers_turn() - close those that are over; to be called between two turns of the loop. */
void lingers_turn(struct lingers *lingers, uint64_t now);

/** lingers_wake_usec() - when lingers_turn() has something to do; USEC_NEVER. */
uint64_t lingers_wake_usec(const struct lingers *lingers);
