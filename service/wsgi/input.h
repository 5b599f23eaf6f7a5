/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wsgi.input: the body of a request as a file. */
#pragma once

#include <appsrv/appsrv.h>

#include "wsgi/python.h"

extern PyTypeObject input_type;

/** input_new() - of a request, until input_end(). */
PyObject *input_new(appsrv_req *req);

/** input_end() - the request is over: an application that kept the object gets a ValueError. */
void input_end(PyObject *object);
