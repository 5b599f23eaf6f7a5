/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HTTP: connections go in, transactions come out, through libmicrohttpd driven by the worker's own
 * loop. Loop thread.
 *
 * Its C files, http*.c, are the only ones that know libmicrohttpd.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/endpoint.h"
#include "worker/health.h"
#include "worker/linger.h"
#include "worker/tls.h"
#include "worker/transaction.h"

/* Connections beyond worker_connections, whose first request is answered with 503. */
#define HTTP_CONNECTIONS_BESIDE 16

/* One for connections as they are, one for those that are encrypted, one for those to the admin
 * socket. */
#define HTTP_FDS_MAX 3

struct http;

/**
 * http_new() - start the engine
 * @ret:     ended with http_free(), untouched on failure
 * @service: borrowed, must outlive the engine
 * @tls:     the same; NULL: no endpoint has it
 * @admin:   whether there is an endpoint for it
 * @lingers: the same; gets what is answered before it was read
 *
 * Return: 0, -ENOMEM when libmicrohttpd cannot be started, -EPROTO when it does not work as this
 * file must rely on.
 */
int http_new(struct http **ret, struct service *service, const struct tls *tls, bool admin,
             struct lingers *lingers);

/** http_free() - end; no connection may be left. Accepts NULL. */
void http_free(struct http *http);

/** http_connections_max() - the most that there can be at a time. */
static inline unsigned http_connections_max(const struct config *config)
{
        return config->http_worker_connections + HTTP_CONNECTIONS_BESIDE;
}

/** http_flights_max() - the same, those to the admin socket included. */
static inline unsigned http_flights_max(const struct config *config)
{
        return http_connections_max(config) + HEALTH_CONNECTIONS_MAX;
}

/** http_fds() - readable when http_turn() has something to do. Return: how many there are. */
size_t http_fds(const struct http *http, int fds[static HTTP_FDS_MAX]);

/** http_add() - take over a new connection, its descriptor included. */
void http_add(struct http *http, const struct endpoint *endpoint, int fd,
              const struct sockaddr *address, socklen_t size);

/** http_greeting() - so many further connections will be added; they count as well. */
void http_greeting(struct http *http, unsigned n);

/** http_turn() - move everything that can move: requests that the pool has finished first, then the
 * sockets. */
void http_turn(struct http *http);

/** http_timeout_usec() - how long http_turn() may wait for its next call if nothing happens. */
uint64_t http_timeout_usec(struct http *http);

/** http_check_deadlines() - end the connections whose time is up, and, while draining, those that
 * are idle. */
void http_check_deadlines(struct http *http, uint64_t now);

/** http_wake_usec() - when http_check_deadlines() may have something to do; USEC_NEVER. */
uint64_t http_wake_usec(const struct http *http);

/** http_connections() - how many there are, requests included that only an application is still
 * busy with. */
unsigned http_connections(const struct http *http);

/** http_each() - show all requests that an application may be working on, those included that are
 * over on the wire. */
void http_each(const struct http *http, void (*see)(struct transaction *transaction, void *data),
               void *data);

/**
 * http_drain() - serve what has begun, begin nothing new
 *
 * Every response says Connection: close from now on. Idle connections end at once; but one that was
 * accepted and has not brought its first request yet, or that had an answer a moment ago, is waited
 * for a little: its client's request may be on the way, and nobody else will read it.
 */
void http_drain(struct http *http);

/** http_give_up() - write the access records of all requests that are not over (OUTCOME=shutdown);
 * only _exit() may follow. */
void http_give_up(const struct http *http);
