/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is printed to sys.stdout and sys.stderr (and so wsgi.errors), as records. */
#pragma once

#include "wsgi/python.h"

/** print_init() - once. Return: 0, or -1 with an exception. */
int print_init(void);

/**
 * print_write() - _appsrv.print(stream, text): what ends with a newline becomes a record
 *
 * Each thread has lines of its own, so that those of several requests do not mix. A traceback that
 * is written line by line (traceback.print_exc()) is one record.
 */
PyObject *print_write(PyObject *module, PyObject *const *args, Py_ssize_t n);

/** print_flush() - _appsrv.flush(number): what is there becomes a record, without its newline. */
PyObject *print_flush(PyObject *module, PyObject *number);

/** print_flush_all() - the same with both streams, when a request is over. */
void print_flush_all(void);
