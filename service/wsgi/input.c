/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wsgi.input: the body of a request as a file.
 *
 * The server has gathered the body before it spends a thread on the request, in memory or in a file
 * without a name that is mapped: nothing here waits, and a client that cannot send its whole body
 * does not get this far.
 */
#include "wsgi/input.h"

#include <stdbool.h>
#include <string.h>

struct input {
        PyObject_HEAD const char *body; /* NULL: the request is over */
        size_t size;
        size_t at;
};

static struct input *input_of(PyObject *object)
{
        return (struct input *)object;
}

static bool alive(const struct input *input)
{
        if (input->body)
                return true;
        PyErr_SetString(PyExc_ValueError, "wsgi.input: the request is over");
        return false;
}

static PyObject *take(struct input *input, size_t size)
{
        PyObject *bytes = PyBytes_FromStringAndSize(input->body + input->at, (Py_ssize_t)size);

        if (bytes)
                input->at += size;
        return bytes;
}

/* Bytes up to the end of the line, at most @most. */
static size_t line_size(const struct input *input, size_t most)
{
        size_t left = input->size - input->at;
        const char *begin = input->body + input->at;
        const char *newline;

        if (left > most)
                left = most;
        newline = left > 0 ? memchr(begin, '\n', left) : NULL;
        return newline ? (size_t)(newline + 1 - begin) : left;
}

/* An optional size: None and negative ones mean all. Return: -1 with an exception. */
static int parse_size(PyObject *const *args, Py_ssize_t n, size_t *ret)
{
        Py_ssize_t size = -1;

        if (n > 1) {
                PyErr_SetString(PyExc_TypeError, "one argument at most: a size");
                return -1;
        }
        if (n == 1 && args[0] != Py_None) {
                size = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
                if (size == -1 && PyErr_Occurred())
                        return -1;
        }
        *ret = size < 0 ? SIZE_MAX : (size_t)size;
        return 0;
}

static PyObject *input_read(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
        struct input *input = input_of(self);
        size_t size;

        if (parse_size(args, n, &size) < 0 || !alive(input))
                return NULL;
        return take(input, size < input->size - input->at ? size : input->size - input->at);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
        struct input *input = input_of(self);
        size_t size;

        if (parse_size(args, n, &size) < 0 || !alive(input))
                return NULL;
        return take(input, line_size(input, size));
}

/* The hint: no further line when those before it have so many bytes; 0 is none (io.IOBase). */
static PyObject *input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
        struct input *input = input_of(self);
        PyObject *lines;
        size_t hint, begin;

        if (parse_size(args, n, &hint) < 0 || !alive(input))
                return NULL;
        lines = PyList_New(0);
        begin = input->at;
        while (lines && input->at < input->size && (hint == 0 || input->at - begin < hint)) {
                _cleanup_object_ PyObject *line = take(input, line_size(input, SIZE_MAX));

                if (!line || PyList_Append(lines, line) < 0)
                        Py_CLEAR(lines);
        }
        return lines;
}

static PyObject *input_next(PyObject *self)
{
        struct input *input = input_of(self);

        if (!alive(input) || input->at == input->size)
                return NULL;
        return take(input, line_size(input, SIZE_MAX));
}

/* It is not the application's to close. */
static PyObject *input_close(PyObject *self, PyObject *nothing)
{
        (void)self;
        (void)nothing;
        Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
        {"read", (PyCFunction)(void (*)(void))input_read, METH_FASTCALL, "read(size=-1) -> bytes"},
        {"readline", (PyCFunction)(void (*)(void))input_readline, METH_FASTCALL,
         "readline(size=-1) -> bytes"},
        {"readlines", (PyCFunction)(void (*)(void))input_readlines, METH_FASTCALL,
         "readlines(hint=-1) -> list of bytes"},
        {"close", input_close, METH_NOARGS, "Does nothing: the server closes it."},
        {0},
};

PyTypeObject input_type = {
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_appsrv.Input",
        .tp_doc = "The body of a request.",
        .tp_basicsize = sizeof(struct input),
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .tp_iter = PyObject_SelfIter,
        .tp_iternext = input_next,
        .tp_methods = methods,
};

PyObject *input_new(appsrv_req *req)
{
        struct input *input = PyObject_New(struct input, &input_type);

        if (!input)
                return NULL;
        input->body = appsrv_body(req, &input->size);
        input->at = 0;
        return (PyObject *)input;
}

void input_end(PyObject *object)
{
        struct input *input = input_of(object);

        input->body = NULL;
        input->size = input->at = 0;
}
