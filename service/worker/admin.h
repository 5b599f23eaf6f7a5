/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The admin sockets of a worker: each connection is taken at once, whatever the others have and
 * however many clients there are. Loop thread.
 */
#pragma once

#include "worker/endpoint.h"
#include "worker/loop.h"

struct sockaddr;

/* At most so many are watched. */
#define ADMIN_SOCKETS_MAX 4

struct admin;

struct admin_socket {
        struct watch watch; /* first: what the loop gives back */
        struct admin *admin;
        const struct endpoint *endpoint;
};

struct admin {
        struct loop *loop;
        void (*connected)(void *data, const struct endpoint *endpoint, int fd,
                          const struct sockaddr *address, unsigned size);
        void *data;
        struct admin_socket sockets[ADMIN_SOCKETS_MAX];
        size_t n;
};

/** admin_is_wanted() - whether some endpoint is for it. */
bool admin_is_wanted(const struct endpoint *endpoints, size_t n);

/** admin_watch() - those of the endpoints that are for it; loop, connected and data are set.
 * Return: 0, or a negative errno. */
int admin_watch(struct admin *admin, const struct endpoint *endpoints, size_t n);

/** admin_leave() - accept no more; others do. */
void admin_leave(struct admin *admin);
