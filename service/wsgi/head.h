/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of a response, as start_response() is given it: judged, and handed on. */
#pragma once

#include <appsrv/appsrv.h>

#include <stdint.h>

#include "wsgi/python.h"

/** head_status() - "200 OK". Return: 200 to 599, or -1 with an exception. */
int head_status(PyObject *status);

/**
 * head_headers() - judge a list of (name, value)
 * @ret_length: their Content-Length, -1 without one
 *
 * Return: a list of those that the application may set; what the server sets itself is not in it.
 */
PyObject *head_headers(PyObject *headers, int64_t *ret_length);

/** head_give() - hand them to the server. Return: 0, or -1 with an exception. */
int head_give(appsrv_req *req, PyObject *headers);
