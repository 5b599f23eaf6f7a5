/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of Python's logging as records of the server. */
#pragma once

#include <appsrv/appsrv.h>

#include "wsgi/python.h"

/** journal_init() - once. Return: 0, or -1 with an exception. */
int journal_init(void);

/** journal_level() - level of the server for one of logging: 40 (ERROR) is APPSRV_ERR. */
int journal_level(long level);

/** journal_text() - one record of this plug-in. Leaves an exception that is set alone. */
void journal_text(int level, const char *text);

/**
 * journal_commit() - _appsrv.commit(record, text): one logging.LogRecord as one record
 *
 * @text is the MESSAGE; of @record come the level, the logger, the place in the source, the type of
 * the exception and, as fields of their own, the attributes that logging does not set (extra=).
 */
PyObject *journal_commit(PyObject *module, PyObject *const *args, Py_ssize_t n);
