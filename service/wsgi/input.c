/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wsgi.input: the body of a request as a file.
 *
 * The server has gathered the body before it spends a thread on the request, in memory or in a file
 * without a name that is mapped: nothing here waits, and a client that cannot send its whole body
 * does not get this far. But one that waits for a word to send it (Expect: 100-continue) has not
 * sent it: the first read asks for it, and waits without the GIL.
 */
#include "wsgi/input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wsgi/response.h"

/* Of a body that arrives. */
#define ROOM_SIZE ((size_t)64 * 1024)

struct input {
        PyObject_HEAD appsrv_req *req; /* the body arrives; NULL: it is there */
        const char *body; /* all of it, or what is in the room; NULL: the request is over */
        size_t size;
        size_t at;
        bool ended; /* nothing more arrives */
        char *room; /* NULL: none yet */
};

/* What is gathered for one read. */
struct text {
        char *bytes;
        size_t size;
        size_t room;
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

/* Return: whether there is more, now at least one byte of it; -1 with an exception. */
static int receive(struct input *input)
{
        int64_t n;

        if (!input->room)
                input->room = malloc(ROOM_SIZE);
        if (!input->room)
                return response_raise(-ENOMEM);
        Py_BEGIN_ALLOW_THREADS n = appsrv_read(input->req, input->room, ROOM_SIZE);
        Py_END_ALLOW_THREADS if (n < 0) return response_raise((int)n);
        input->body = input->room;
        input->size = (size_t)n;
        input->at = 0;
        input->ended = n == 0;
        return n > 0;
}

static int has_more(struct input *input)
{
        if (input->at < input->size)
                return 1;
        return input->ended ? 0 : receive(input);
}

/* Bytes up to the end of the line, at most @most of those that are there. */
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

static PyObject *take(struct input *input, size_t size)
{
        PyObject *bytes = PyBytes_FromStringAndSize(input->body + input->at, (Py_ssize_t)size);

        if (bytes)
                input->at += size;
        return bytes;
}

static int append(struct text *text, const char *bytes, size_t size)
{
        if (size == 0)
                return 0;
        if (!text->bytes || size > text->room - text->size) {
                size_t room = (text->room + size) * 2;
                char *more = realloc(text->bytes, room);

                if (!more)
                        return response_raise(-ENOMEM);
                text->bytes = more;
                text->room = room;
        }
        memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
        return 0;
}

/* Return: 0 when it is complete, or -1 with an exception. */
static int gather(struct input *input, struct text *text, size_t most, bool line)
{
        int more = 1;

        while (text->size < most && (more = has_more(input)) > 0) {
                size_t left = most - text->size;
                size_t there = input->size - input->at;
                size_t size = line ? line_size(input, left) : there < left ? there : left;
                const char *bytes = input->body + input->at;

                if (append(text, bytes, size) < 0)
                        return -1;
                input->at += size;
                if (line && bytes[size - 1] == '\n')
                        return 0;
        }
        return more < 0 ? -1 : 0;
}

/* At most @most bytes, or to the end of the line. */
static PyObject *take_some(struct input *input, size_t most, bool line)
{
        size_t left = input->size - input->at;
        struct text text = {0};
        PyObject *bytes = NULL;

        if (!input->req)
                return take(input, line ? line_size(input, most) : most < left ? most : left);
        if (gather(input, &text, most, line) == 0)
                bytes = PyBytes_FromStringAndSize(text.bytes, (Py_ssize_t)text.size);
        free(text.bytes);
        return bytes;
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
        return take_some(input, size, false);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
        struct input *input = input_of(self);
        size_t size;

        if (parse_size(args, n, &size) < 0 || !alive(input))
                return NULL;
        return take_some(input, size, true);
}

/* The hint: no further line when those before it have so many bytes; 0 is none (io.IOBase). */
static PyObject *input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
        struct input *input = input_of(self);
        PyObject *lines;
        size_t hint, taken = 0;
        int more = 1;

        if (parse_size(args, n, &hint) < 0 || !alive(input))
                return NULL;
        lines = PyList_New(0);
        while (lines && (hint == 0 || taken < hint) && (more = has_more(input)) > 0) {
                _cleanup_object_ PyObject *line = take_some(input, SIZE_MAX, true);

                if (!line || PyList_Append(lines, line) < 0)
                        Py_CLEAR(lines);
                else
                        taken += (size_t)PyBytes_GET_SIZE(line);
        }
        if (more < 0)
                Py_CLEAR(lines);
        return lines;
}

static PyObject *input_next(PyObject *self)
{
        struct input *input = input_of(self);

        if (!alive(input) || has_more(input) <= 0)
                return NULL;
        return take_some(input, SIZE_MAX, true);
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

static void dealloc(PyObject *self)
{
        free(input_of(self)->room);
        Py_TYPE(self)->tp_free(self);
}

PyTypeObject input_type = {
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_appsrv.Input",
        .tp_doc = "The body of a request.",
        .tp_basicsize = sizeof(struct input),
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .tp_iter = PyObject_SelfIter,
        .tp_iternext = input_next,
        .tp_methods = methods,
        .tp_dealloc = dealloc,
};

PyObject *input_new(appsrv_req *req)
{
        struct input *input = PyObject_New(struct input, &input_type);

        if (!input)
                return NULL;
        input->body = appsrv_body(req, &input->size);
        input->at = 0;
        input->req = strcmp(appsrv_info(req, "body"), "arriving") == 0 ? req : NULL;
        input->ended = !input->req;
        input->room = NULL;
        return (PyObject *)input;
}

void input_end(PyObject *object)
{
        struct input *input = input_of(object);

        input->req = NULL;
        input->body = NULL;
        input->size = input->at = 0;
        input->ended = true;
}
