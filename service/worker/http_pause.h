/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pause of a connection whose application is waited for. Loop thread. */
#pragma once

struct transaction;

/** http_rest() - from now on libmicrohttpd leaves its connection alone. */
void http_rest(struct transaction *transaction);

/** http_wake() - it goes on in the next turn of libmicrohttpd, if it rests. */
void http_wake(struct transaction *transaction);
