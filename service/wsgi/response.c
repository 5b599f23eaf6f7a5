/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start_response and the response that it begins (PEP 3333).
 *
 * What an application gives is judged when it gives it, while it is on the stack (PEP: "Error
 * Handling"), so that the traceback names the line.
 */
#include "wsgi/response.h"

#include <errno.h>
#include <string.h>

#include "wsgi/current.h"
#include "wsgi/head.h"
#include "wsgi/tell.h"

/* A BrokenPipeError of its own: one of the application's own making is an error. */
static PyObject *client_left;

int response_init(void)
{
        client_left = PyErr_NewException("appsrv.ClientLeft", PyExc_BrokenPipeError, NULL);
        return client_left ? 0 : -1;
}

bool response_left(void)
{
        return PyErr_ExceptionMatches(client_left);
}

int response_raise(int r)
{
        errno = -r;
        if (r == -EPIPE)
                PyErr_SetString(client_left, "the client has left");
        else if (r == -ENOMEM)
                (void)PyErr_NoMemory();
        else
                (void)PyErr_SetFromErrno(PyExc_OSError);
        return -1;
}

static bool alive(const struct response *response)
{
        if (response->req && !current_forked())
                return true;
        PyErr_SetString(PyExc_RuntimeError, response->req ? "a forked child has no response to give"
                                                          : "the request is over");
        return false;
}

/* -- start_response -- */

/* Raise what the application caught: the head has left, it cannot say anything else any more. */
static int raise_again(PyObject *exc_info)
{
        PyObject *exception = PyTuple_GetItem(exc_info, 1); /* borrowed */
        PyObject *traceback = PyTuple_GetItem(exc_info, 2);

        if (!exception || !traceback)
                return -1;
        if (!PyExceptionInstance_Check(exception)) {
                PyErr_SetString(PyExc_TypeError, "exc_info holds no exception");
                return -1;
        }
        if (traceback != Py_None && PyException_SetTraceback(exception, traceback) < 0)
                return -1;
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        return -1;
}

static int may_start(struct response *response, PyObject *exc_info)
{
        if (exc_info && !PyTuple_Check(exc_info)) {
                PyErr_SetString(PyExc_TypeError, "exc_info is a tuple, as of sys.exc_info()");
                return -1;
        }
        if (exc_info && response->begun)
                return raise_again(exc_info);
        if (response->called && !exc_info) {
                PyErr_SetString(PyExc_RuntimeError,
                                "start_response() was called before, and not with exc_info");
                return -1;
        }
        return 0;
}

static int start(struct response *response, PyObject *const *args, PyObject *exc_info)
{
        int64_t length;
        PyObject *headers;
        int status;

        if (!alive(response) || may_start(response, exc_info) < 0)
                return -1;
        response->called = true;
        Py_CLEAR(response->headers);
        status = head_status(args[0]);
        if (status < 0)
                return -1;
        headers = head_headers(args[1], &length);
        if (!headers)
                return -1;
        response->status = status;
        response->headers = headers;
        response->length = length;
        return 0;
}

static PyObject *write_method(PyObject *self, PyObject *bytes)
{
        if (response_write((struct response *)self, bytes) < 0)
                return NULL;
        Py_RETURN_NONE;
}

static PyMethodDef write_definition = {"write", write_method, METH_O,
                                       "write(bytes): give a piece of the body."};

static PyObject *call_start(PyObject *self, PyObject *const *args, size_t n_and_flag,
                            PyObject *names)
{
        Py_ssize_t n = PyVectorcall_NARGS(n_and_flag);
        PyObject *exc_info = NULL;

        /* PEP 3333 knows positional arguments only; many call it by this one name. */
        if (names && PyTuple_GET_SIZE(names) == 1 && n == 2 &&
            PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") == 0)
                n = 3;
        else if (names && PyTuple_GET_SIZE(names) > 0)
                n = 0;
        if (n != 2 && n != 3) {
                PyErr_SetString(PyExc_TypeError, "start_response(status, headers, exc_info=None)");
                return NULL;
        }
        if (n == 3 && args[2] != Py_None)
                exc_info = args[2];
        if (start((struct response *)self, args, exc_info) < 0)
                return NULL;
        return PyCFunction_New(&write_definition, self);
}

/* -- the object -- */

static void dealloc(PyObject *self)
{
        Py_CLEAR(((struct response *)self)->headers);
        Py_TYPE(self)->tp_free(self);
}

PyTypeObject response_type = {
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_appsrv.StartResponse",
        .tp_doc = "start_response(status, headers, exc_info=None) -> write",
        .tp_basicsize = sizeof(struct response),
        .tp_flags =
                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL,
        .tp_vectorcall_offset = offsetof(struct response, call),
        .tp_call = PyVectorcall_Call,
        .tp_dealloc = dealloc,
};

struct response *response_new(appsrv_req *req)
{
        struct response *response = PyObject_New(struct response, &response_type);

        if (!response)
                return NULL;
        response->call = call_start;
        response->req = req;
        response->headers = NULL;
        response->length = -1;
        response->written = 0;
        response->status = 0;
        response->called = response->begun = response->over = false;
        response->head = strcmp(appsrv_method(req), "HEAD") == 0;
        return response;
}

void response_end(struct response *response)
{
        response->req = NULL;
}

/* -- what leaves -- */

static int set_head(struct response *response)
{
        if (!alive(response))
                return -1;
        if (!response->headers) {
                PyErr_SetString(PyExc_RuntimeError,
                                response->called
                                        ? "start_response() failed, and was not called again"
                                        : "start_response() was not called");
                return -1;
        }
        return head_give(response->req, response->headers);
}

/* Of a 304 it is the length of the body that the client has got already (RFC 9110 8.6). One of 0 is
 * that of the 304 itself, which frameworks count. */
static int64_t announced(const struct response *response)
{
        bool tells =
                response_has_body(response) || (response->status == 304 && response->length > 0);

        return tells ? response->length : 0;
}

static int begin(struct response *response)
{
        int r;

        if (set_head(response) < 0)
                return -1;
        r = appsrv_begin(response->req, response->status, NULL, announced(response));
        if (r < 0)
                return response_raise(r);
        response->begun = true;
        return 0;
}

bool response_has_body(const struct response *response)
{
        return response->status != 204 && response->status != 205 && response->status != 304;
}

/* More than was announced is not sent, and told once. Return: what is sent of @size. */
static size_t cut(struct response *response, size_t size)
{
        uint64_t left = (uint64_t)(response->length - response->written);

        if (response->length < 0 || size <= left)
                return size;
        if (!response->over && !response->head)
                tell(APPSRV_WARNING, "the body is longer than its Content-Length, it was cut");
        response->over = true;
        return (size_t)left;
}

static int give(struct response *response, const char *bytes, size_t size)
{
        int r;

        if (size == 0 || response->head)
                return 0;
        Py_BEGIN_ALLOW_THREADS r = appsrv_write(response->req, bytes, size);
        Py_END_ALLOW_THREADS if (r < 0) return response_raise(r);
        response->written += (int64_t)size;
        return 0;
}

bool response_is_body(PyObject *piece)
{
        if (PyBytes_Check(piece))
                return true;
        (void)PyErr_Format(PyExc_TypeError, "a body is made of bytes, not of '%.100s'",
                           Py_TYPE(piece)->tp_name);
        return false;
}

int response_write(struct response *response, PyObject *bytes)
{
        Py_ssize_t size;

        if (!response_is_body(bytes))
                return -1;
        size = PyBytes_GET_SIZE(bytes);
        if (size == 0)
                return 0;
        if (!alive(response) || (!response->begun && begin(response) < 0))
                return -1;
        if (!response_has_body(response))
                return 0;
        return give(response, PyBytes_AS_STRING(bytes), cut(response, (size_t)size));
}

int response_finish(struct response *response)
{
        if (!response->begun)
                return response_send(response, "", 0);
        if (response->head || !response_has_body(response) || response->written >= response->length)
                return 0;
        (void)PyErr_Format(PyExc_RuntimeError,
                           "the body has %lld bytes, its Content-Length is %lld",
                           (long long)response->written, (long long)response->length);
        return -1;
}

/* A head that tells the length of a body, which is not there. */
static bool is_bare(const struct response *response, size_t size)
{
        if (!response_has_body(response))
                return announced(response) > 0;
        return response->head && (response->length >= 0 || size == 0);
}

int response_send(struct response *response, const char *bytes, size_t size)
{
        int r;

        if (response->headers && is_bare(response, size))
                return begin(response);
        if (response->headers && response_has_body(response)) {
                if (response->length > (int64_t)size) {
                        if (begin(response) < 0 || give(response, bytes, size) < 0)
                                return -1;
                        return response_finish(response);
                }
                size = cut(response, size);
        } else {
                size = 0;
        }
        if (set_head(response) < 0)
                return -1;
        r = appsrv_send(response->req, response->status, NULL, bytes, size);
        if (r < 0)
                return response_raise(r);
        response->begun = true;
        return 0;
}

int response_send_file(struct response *response, const struct file_part *part)
{
        uint64_t size = part->size;
        int r;

        /* PEP 3333, "Optional Platform-Specific File Handling": no more than was announced. */
        if (response->length >= 0 && (uint64_t)response->length < size)
                size = (uint64_t)response->length;
        if (set_head(response) < 0)
                return -1;
        r = appsrv_send_file(response->req, response->status, NULL, part->fd, part->offset, size);
        if (r < 0)
                return response_raise(r);
        response->begun = true;
        return 0;
}
