/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environ of a request (PEP 3333): a copy of what is the same for all of an application, and
 * what the request says. */
#pragma once

#include <appsrv/appsrv.h>

#include "wsgi/python.h"

/** environ_init() - make the keys, once. Return: 0, or -1 with an exception. */
int environ_init(void);

/** environ_template() - what all requests of an application have in common, a dict. */
PyObject *environ_template(const appsrv_ctx *ctx);

/**
 * environ_new() - the environ of a request, a dict
 * @input: wsgi.input
 * @id:    of the request, a str
 */
PyObject *environ_new(PyObject *template, appsrv_req *req, PyObject *input, PyObject *id);
