/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests that no callback has seen to their end: libmicrohttpd refuses some heads and bodies
 * itself, and a connection may end within a head. Each gets its one record all the same. Loop
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/connection.h"
#include "worker/greeting.h"
#include "worker/socket.h"
#include "worker/transaction.h"

/* Refusals of libmicrohttpd itself whose request or connection has not been seen to end yet. */
#define REFUSALS_MAX 64

struct refusals {
        unsigned statuses[REFUSALS_MAX]; /* oldest first */
        size_t n;
};

/** refusals_add() - libmicrohttpd has answered a request with @status itself. */
void refusals_add(struct refusals *refusals, unsigned status);

/** refusals_settle() - the request of this transaction has ended with such an answer. @status: 0:
 * with which one is not known, the oldest is taken */
void refusals_settle(struct refusals *refusals, struct transaction *transaction, unsigned status);

/**
 * unseen_record() - the connection is over: write the record of a request on it that was not seen
 *
 * Of a later head's beginning nothing is known: what came before cannot be counted to the byte
 * (chunked bodies, empty lines between requests). Of several such requests at once, each has its
 * record, but one may have the status of another. Return: whether it was refused.
 */
bool unseen_record(struct service *service, const struct connection *connection,
                   const struct socket_facts *facts, struct refusals *refusals);

/** unseen_greeting() - a connection ended before its PROXY header was there: write a record of it
 */
void unseen_greeting(struct service *service, enum greeting_end end, const struct sockaddr *peer,
                     uint64_t since);
