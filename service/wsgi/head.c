/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head of a response, as start_response() is given it.
 *
 * PEP 3333 asks that hop-by-hop headers of an application be an error. Projects that run elsewhere
 * have them ("Connection: close"), so they are left out, and told once.
 */
#include "wsgi/head.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "wsgi/tell.h"

enum role {
        ROLE_PASSED,
        ROLE_LENGTH,
        ROLE_OURS,       /* the server's to set, in every response */
        ROLE_HOP_BY_HOP, /* about the connection, not about the response (RFC 9110, 7.6.1) */
};

static const struct {
        const char *name;
        enum role role;
} roles[] = {
        {"content-length", ROLE_LENGTH},
        {"date", ROLE_OURS},
        {"server", ROLE_OURS},
        {"x-request-id", ROLE_OURS},
        {"connection", ROLE_HOP_BY_HOP},
        {"keep-alive", ROLE_HOP_BY_HOP},
        {"proxy-authenticate", ROLE_HOP_BY_HOP},
        {"proxy-authorization", ROLE_HOP_BY_HOP},
        {"te", ROLE_HOP_BY_HOP},
        {"trailer", ROLE_HOP_BY_HOP},
        {"trailers", ROLE_HOP_BY_HOP},
        {"transfer-encoding", ROLE_HOP_BY_HOP},
        {"upgrade", ROLE_HOP_BY_HOP},
};

#define N_ROLES (sizeof(roles) / sizeof(roles[0]))

/* Bytes of a str that has no other characters than latin-1, ended by a NUL. */
static const char *text_of(PyObject *text, const char *what)
{
        if (!PyUnicode_Check(text)) {
                (void)PyErr_Format(PyExc_TypeError, "%s is a str, not '%.100s'", what,
                                   Py_TYPE(text)->tp_name);
                return NULL;
        }
        if (PyUnicode_READY(text) < 0)
                return NULL;
        if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
                (void)PyErr_Format(PyExc_ValueError, "%s: %R has characters beyond latin-1", what,
                                   text);
                return NULL;
        }
        return (const char *)PyUnicode_1BYTE_DATA(text);
}

/* No control byte, of which CR and LF would begin another header; HTAB may be in a value. */
static bool is_printable(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                unsigned char byte = (unsigned char)text[i];

                if ((byte < ' ' && byte != '\t') || byte == 0x7f)
                        return false;
        }
        return true;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text, size_t size)
{
        static const char bytes[] = "!#$%&'*+-.^_`|~0123456789"
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

        return size > 0 && strlen(text) == size && strspn(text, bytes) == size;
}

static bool is_digit(char byte)
{
        return byte >= '0' && byte <= '9';
}

int head_status(PyObject *status)
{
        const char *text = text_of(status, "status");
        size_t size = text ? (size_t)PyUnicode_GET_LENGTH(status) : 0;
        int code;

        if (!text)
                return -1;
        if (size < 3 || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2]) ||
            (size > 3 && text[3] != ' ') || !is_printable(text, size)) {
                (void)PyErr_Format(PyExc_ValueError, "status: %R is not '200 OK' or its like",
                                   status);
                return -1;
        }
        code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
        if (code >= 200 && code <= 599)
                return code;
        (void)PyErr_Format(PyExc_ValueError, "status: %R is not between 200 and 599", status);
        return -1;
}

static enum role role_of(const char *name)
{
        for (size_t i = 0; i < N_ROLES; i++) {
                if (strcasecmp(name, roles[i].name) == 0)
                        return roles[i].role;
        }
        return ROLE_PASSED;
}

static void tell_hop_by_hop(PyObject *name)
{
        static atomic_bool told;
        const char *text = PyUnicode_AsUTF8(name);

        if (text && !atomic_exchange(&told, true))
                tell(APPSRV_WARNING,
                     "the header %s is about the connection, which is the server's: it was left "
                     "out, as all such headers are from now on",
                     text);
}

/* Return: 0, or -1 with an exception. */
static int parse_length(PyObject *value, int64_t *length)
{
        const char *text = (const char *)PyUnicode_1BYTE_DATA(value);
        size_t size = (size_t)PyUnicode_GET_LENGTH(value);
        int64_t number = 0;

        for (size_t i = 0; i < size && is_digit(text[i]) && size <= 18; i++)
                number = number * 10 + (text[i] - '0');
        if (size == 0 || size > 18 || strspn(text, "0123456789") != size ||
            (*length >= 0 && *length != number)) {
                (void)PyErr_Format(PyExc_ValueError, "Content-Length: %R is no length%s", value,
                                   *length >= 0 ? ", or not that of another one" : "");
                return -1;
        }
        *length = number;
        return 0;
}

static int judge(PyObject *pair, enum role *role, int64_t *length)
{
        const char *name, *value;

        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
                (void)PyErr_Format(PyExc_TypeError, "headers: %R is no tuple (name, value)", pair);
                return -1;
        }
        name = text_of(PyTuple_GET_ITEM(pair, 0), "name of a header");
        value = name ? text_of(PyTuple_GET_ITEM(pair, 1), "value of a header") : NULL;
        if (!value)
                return -1;
        if (!is_token(name, (size_t)PyUnicode_GET_LENGTH(PyTuple_GET_ITEM(pair, 0)))) {
                (void)PyErr_Format(PyExc_ValueError, "headers: %R is no name",
                                   PyTuple_GET_ITEM(pair, 0));
                return -1;
        }
        if (!is_printable(value, (size_t)PyUnicode_GET_LENGTH(PyTuple_GET_ITEM(pair, 1)))) {
                (void)PyErr_Format(PyExc_ValueError,
                                   "headers: the value of %s, %R, has control "
                                   "characters",
                                   name, PyTuple_GET_ITEM(pair, 1));
                return -1;
        }
        *role = role_of(name);
        return *role == ROLE_LENGTH ? parse_length(PyTuple_GET_ITEM(pair, 1), length) : 0;
}

PyObject *head_headers(PyObject *headers, int64_t *ret_length)
{
        PyObject *passed;

        *ret_length = -1;
        if (!PyList_Check(headers)) {
                (void)PyErr_Format(PyExc_TypeError, "headers are a list, not '%.100s'",
                                   Py_TYPE(headers)->tp_name);
                return NULL;
        }
        passed = PyList_New(0);
        for (Py_ssize_t i = 0; passed && i < PyList_GET_SIZE(headers); i++) {
                _cleanup_object_ PyObject *pair = Py_NewRef(PyList_GET_ITEM(headers, i));
                enum role role = ROLE_PASSED;

                if (judge(pair, &role, ret_length) < 0 ||
                    (role == ROLE_PASSED && PyList_Append(passed, pair) < 0))
                        Py_CLEAR(passed);
                else if (role == ROLE_HOP_BY_HOP)
                        tell_hop_by_hop(PyTuple_GET_ITEM(pair, 0));
        }
        return passed;
}

int head_give(appsrv_req *req, PyObject *headers)
{
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
                PyObject *pair = PyList_GET_ITEM(headers, i);
                const char *name = (const char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(pair, 0));
                const char *value = (const char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(pair, 1));
                int r = appsrv_add(req, name, value);

                if (r < 0) {
                        (void)PyErr_Format(PyExc_ValueError, "headers: %s cannot be sent: %s", name,
                                           r == -E2BIG ? "there are too many, or they are too long"
                                                       : strerror(-r));
                        return -1;
                }
        }
        return 0;
}
