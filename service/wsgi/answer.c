/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application returned, given to the client.
 *
 * A list or a tuple has all of the body: it leaves at once, with its length. Of any other iterable
 * each piece leaves before the next one is asked for (PEP 3333, "Buffering and Streaming").
 */
#include "wsgi/answer.h"

#include <stdlib.h>
#include <string.h>

#include "wsgi/names.h"
#include "wsgi/tell.h"

/* Pieces of a list that are joined; a larger one is given piece by piece, and not copied. */
#define JOINED_MAX ((size_t)256 * 1024)

static Py_ssize_t count(PyObject *list)
{
        return PySequence_Fast_GET_SIZE(list);
}

static PyObject *item(PyObject *list, Py_ssize_t i)
{
        return PySequence_Fast_GET_ITEM(list, i); /* borrowed */
}

/* Return: how many bytes; -1 with an exception when something else is in it. */
static Py_ssize_t measure(PyObject *list)
{
        Py_ssize_t size = 0;

        for (Py_ssize_t i = 0; i < count(list); i++) {
                if (!response_is_body(item(list, i)))
                        return -1;
                size += PyBytes_GET_SIZE(item(list, i));
        }
        return size;
}

static int send_joined(struct response *response, PyObject *list, size_t size)
{
        char *bytes = malloc(size + 1);
        size_t at = 0;
        int r;

        if (!bytes) {
                (void)PyErr_NoMemory();
                return -1;
        }
        for (Py_ssize_t i = 0; i < count(list); i++) {
                size_t piece = (size_t)PyBytes_GET_SIZE(item(list, i));

                memcpy(bytes + at, PyBytes_AS_STRING(item(list, i)), piece);
                at += piece;
        }
        r = response_send(response, bytes, size);
        free(bytes);
        return r;
}

/* Return: 1 when it was given, 0 when it is to be given piece by piece, or -1. */
static int give_list(struct response *response, PyObject *list)
{
        Py_ssize_t size = measure(list);

        if (size < 0)
                return -1;
        if (response->begun)
                return 0;
        if (count(list) == 1)
                return response_send(response, PyBytes_AS_STRING(item(list, 0)), (size_t)size) < 0
                               ? -1
                               : 1;
        if ((size_t)size > JOINED_MAX)
                return 0;
        return send_joined(response, list, (size_t)size) < 0 ? -1 : 1;
}

/* The Content-Length is reached: nothing that follows could be sent. */
static bool is_full(const struct response *response)
{
        return response->begun && response->length >= 0 && !response->head &&
               response->written >= response->length;
}

/* The first piece is often all: then it needs no stream. */
static int give_piece(struct response *response, PyObject *piece)
{
        if (!response->begun && response->length >= 0 && PyBytes_Check(piece) &&
            PyBytes_GET_SIZE(piece) >= response->length && PyBytes_GET_SIZE(piece) > 0) {
                if (response_send(response, PyBytes_AS_STRING(piece),
                                  (size_t)PyBytes_GET_SIZE(piece)) < 0)
                        return -1;
                response->written = response->length;
                return 0;
        }
        return response_write(response, piece);
}

/* What is asked of a HEAD is there with the head. */
static bool goes_on(const struct response *response)
{
        return !is_full(response) &&
               !(response->begun && (response->head || !response_has_body(response)));
}

static int give_pieces(struct response *response, PyObject *result)
{
        _cleanup_object_ PyObject *iterator = PyObject_GetIter(result);
        int r = iterator ? 0 : -1;

        while (r == 0 && goes_on(response)) {
                _cleanup_object_ PyObject *piece = PyIter_Next(iterator);

                if (!piece)
                        return PyErr_Occurred() ? -1 : response_finish(response);
                r = give_piece(response, piece);
        }
        return r;
}

static int give(struct response *response, PyObject *result)
{
        struct file_part part;
        int r;

        if (!response->begun && response->headers && response_has_body(response) &&
            file_wrapper_part(result, &part) && response->length <= (int64_t)part.size)
                return response_send_file(response, &part);
        if (PyList_CheckExact(result) || PyTuple_CheckExact(result)) {
                r = give_list(response, result);
                if (r != 0)
                        return r < 0 ? -1 : 0;
        }
        return give_pieces(response, result);
}

/* Return: whether it went well; no close() is well. */
static bool call_close(PyObject *result)
{
        _cleanup_object_ PyObject *method = PyObject_GetAttr(result, name_of(NAME_CLOSE));
        _cleanup_object_ PyObject *done = method ? PyObject_CallNoArgs(method) : NULL;

        if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) {
                PyErr_Clear();
                return true;
        }
        return done != NULL;
}

/* An exception of before stays; one of close() has nobody else who could be told. */
static void close_result(PyObject *result)
{
        PyObject *type, *value, *traceback;

        if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
                return;
        PyErr_Fetch(&type, &value, &traceback);
        if (!call_close(result))
                tell_exception("close() of the response failed");
        PyErr_Restore(type, value, traceback);
}

int answer(struct response *response, PyObject *result)
{
        int r = give(response, result);

        close_result(result);
        return r;
}
