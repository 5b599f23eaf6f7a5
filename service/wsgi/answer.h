/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an application returned, given to the client. */
#pragma once

#include "wsgi/response.h"

/**
 * answer() - give the body that an application returned, and close it
 *
 * close() is called exactly once, whatever happens. Return: 0, or -1 with an exception, which
 * response_left() knows when it only says that the client has gone.
 */
int answer(struct response *response, PyObject *result);
