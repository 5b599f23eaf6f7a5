/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of an application that name another target of this server whose answer the client is to
 * get (RFC 3875, 6.2.2). Loop thread. */
#pragma once

#include <stdbool.h>

#include "worker/transaction.h"

/** redirect_follow() - the pool has given it back. Return: whether it runs again, for the target
 * that its application has named; if there is nothing to run, its response is complete. */
bool redirect_follow(struct transaction *transaction);
