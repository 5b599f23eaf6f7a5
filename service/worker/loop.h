/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker's loop: waits for descriptors and calls whoever watches them. Loop thread.
 *
 * Plain epoll instead of sd-event, which the master uses: one system call a turn, and nothing armed
 * or disarmed per request.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board/board.h"

/* Somebody's interest in a descriptor. Owned by that somebody; must stay in place while it is
 * watched. */
struct watch {
        int fd;
        void (*ready)(struct watch *watch); /* level-triggered: called again in the next turn until
                                               the cause is gone */
        bool active;
};

struct loop {
        int epoll;
        struct board_slot *slot; /* where its waits are counted; NULL: nowhere */
};

/** loop_init() - Return: 0, or a negative errno. */
int loop_init(struct loop *loop);

/** loop_done() - close what loop_init() opened; also of a loop that was only set to -1. */
void loop_done(struct loop *loop);

/**
 * loop_watch() - call watch->ready() when the descriptor is readable (EPOLLIN) or as @events say
 * loop_forget() - stop that; the descriptor must still be open
 *
 * Both do nothing when it is so already. Return: 0, or a negative errno.
 */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
void loop_forget(struct loop *loop, struct watch *watch);

/**
 * loop_turn() - wait for at most @timeout_usec (USEC_NEVER: without end), then call who is ready
 *
 * Return: how many were ready, or a negative errno.
 */
int loop_turn(struct loop *loop, uint64_t timeout_usec);
