/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients that leave while an application works for them: libmicrohttpd does not see it as long as
 * their connection rests. Loop thread. */
#pragma once

#include <stdbool.h>

#include "worker/transaction.h"

/** watch_wanted() - whether its application runs, and ends sooner when the client has left. */
bool watch_wanted(const struct transaction *transaction);

/** watch_closed() - he has closed his side of a connection that is not encrypted: it is found out
 * whether he is there. */
void watch_closed(struct transaction *transaction, int fd);

/** watch_left() - he has left: its application is told, and the connection is to be cut. */
void watch_left(struct transaction *transaction);
