/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start_response and the response that it begins (PEP 3333).
 *
 * Nothing of it leaves before the first byte of the body: until then an application may change its
 * mind, or fail and have a whole 500.
 */
#pragma once

#include <appsrv/appsrv.h>

#include <stdbool.h>
#include <stdint.h>

#include "wsgi/file_wrapper.h"
#include "wsgi/python.h"

extern PyTypeObject response_type;

struct response {
        PyObject_HEAD vectorcallfunc call; /* start_response(status, headers, exc_info=None) */
        appsrv_req *req;                   /* NULL: the request is over */
        PyObject *headers; /* list of (name, value) that are valid; NULL: none yet */
        int64_t length;    /* Content-Length; -1: none */
        int64_t written;
        int status;
        bool called; /* start_response was, even if it failed */
        bool begun;  /* the head has left */
        bool head;   /* the request's method is HEAD */
        bool over;   /* a body was longer than its Content-Length */
};

/** response_init() - once. Return: 0, or -1 with an exception. */
int response_init(void);

struct response *response_new(appsrv_req *req);

/** response_end() - the request is over: an application that kept it gets a RuntimeError. */
void response_end(struct response *response);

/** response_left() - whether the exception that is set says that the client has left. */
bool response_left(void);

/** response_raise() - an exception for a negative errno of the server; response_left() knows that
 * of a client that left. Return: -1. */
int response_raise(int r);

/** response_has_body() - whether there can be one: of 204 and 304 there is none. */
bool response_has_body(const struct response *response);

/** response_send() - a whole body at once. Return: 0, or -1 with an exception; with one also when
 * it is shorter than its Content-Length, and the connection is to be cut. */
int response_send(struct response *response, const char *bytes, size_t size);

/** response_send_file() - the same with a part of a file; no shorter than the Content-Length. */
int response_send_file(struct response *response, const struct file_part *part);

/** response_is_body() - whether it is bytes; if not, with an exception. */
bool response_is_body(PyObject *piece);

/** response_write() - the next piece of a body; without the GIL while the client is waited for.
 * Return: as above. */
int response_write(struct response *response, PyObject *bytes);

/** response_finish() - no piece follows. Return: as above. */
int response_finish(struct response *response);
