/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this plug-in itself has to say, as records of the application and the request that the
 * calling thread works for. */
#pragma once

#include "wsgi/python.h"

/** tell() - one record; the logger is "appsrv.wsgi". Leaves an exception that is set alone. */
void tell(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** tell_exception() - one record with the exception that is set and its traceback; it is cleared.
 * @what: the first line of the record */
void tell_exception(const char *what);

/** tell_last_line() - "ValueError: no such thing", of the exception that is set, which stays. */
void tell_last_line(char *text, size_t room);
