/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The template process of a generation as the master sees it, and the workers that are ordered from
 * it: [server] preload.
 *
 * It is a child as any other, with its own black box and watchdog. One order at a time; between an
 * order and its receipt the worker has no pid.
 */
#pragma once

#include "master/child.h"

/* Who wants to know what becomes of an order. */
struct preload_owner {
        struct child_owner template; /* what becomes of the template */
        /* @worker, which was ordered, has its process now: 0; or a negative errno. */
        void (*delivered)(void *data, struct child *worker, int result);
        bool (*is_known)(void *data, pid_t pid); /* of a worker that is there already */
};

struct preload {
        const struct preload_owner *owner;
        void *data;            /* the owner's */
        struct child template; /* EMPTY: there is none */
        int orders;            /* our end; -1: there is no template */
        sd_event_source *receipts;
        unsigned serial;       /* of the last order */
        struct child *ordered; /* waits for its process; NULL: none */
};

/**
 * preload_new() - without a process yet
 * @ret:      freed with preload_free(); untouched on failure
 * @template: what its child is made from: host, config, board and so on
 *
 * Expects orphans_take_in(). Return: 0, or -ENOMEM.
 */
int preload_new(struct preload **ret, const struct preload_owner *owner,
                const struct child *template);

/** preload_free() - the process, if there still is one, is not watched any more. Accepts NULL. */
void preload_free(struct preload *preload);

/** preload_start() - start the process, if there is none. Return: 0, or a negative errno. */
int preload_start(struct preload *preload);

/** preload_takes_orders() - whether it is ready and no order is open. */
bool preload_takes_orders(const struct preload *preload);

/** preload_order() - let it fork a worker; owner->delivered follows. Return: 0, or a negative
 * errno.
 */
int preload_order(struct preload *preload, struct child *worker);
