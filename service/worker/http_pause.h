/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pause of a connection whose application is waited for. Loop thread. */
#pragma once

#include <stdbool.h>

struct MHD_Connection;
struct connection;
struct transaction;

/** http_rest() - from now on libmicrohttpd leaves its connection alone. */
void http_rest(struct transaction *transaction);

/** http_wake() - it goes on in the next turn of libmicrohttpd, if it rests. */
void http_wake(struct transaction *transaction);

/**
 * http_goes_first() - whether the connection is looked at before any other in each turn
 *
 * Its answer is to be queued before libmicrohttpd reads again, which up to 0.9.75 it does as soon
 * as the connection is resumed: the end of the client's stream, when that is what is there to read,
 * would end the connection before its answer. Those with a timeout of their own are looked at
 * first.
 */
void http_goes_first(struct connection *connection, struct MHD_Connection *mhd, bool first);
