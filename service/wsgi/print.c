/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is printed, as records: one for all that was written when a write ends with a newline. */
#include "wsgi/print.h"

#include <appsrv/appsrv.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wsgi/current.h"

enum { STREAMS = 2 }; /* 1: standard output, 2: standard error */

/* A text without an end is cut here. */
#define TEXT_MAX ((size_t)64 * 1024)

/* What is not a record yet. */
struct text {
        char *bytes;
        size_t size;
        size_t room;
};

struct printed {
        struct text streams[STREAMS];
};

static pthread_key_t key;

static bool is_space(char byte)
{
        return byte == ' ' || byte == '\t' || byte == '\n';
}

/* Nobody waits for an empty line. */
static bool is_blank(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (!is_space(text[i]))
                        return false;
        }
        return true;
}

/* In a child of fork() the log is not ours; the pipe to the worker still is. */
static void commit(int stream, const char *text, size_t size)
{
        struct current here = current_here();

        while (size > 0 && text[size - 1] == '\n')
                size--;
        if (is_blank(text, size))
                return;
        if (!current_forked() && here.ctx) {
                (void)appsrv_print(here.ctx, here.req, stream, text, size);
                return;
        }
        if (write(stream, text, size) == (ssize_t)size)
                (void)!write(stream, "\n", 1);
}

static void commit_all(int stream, struct text *text)
{
        if (text->size > 0)
                commit(stream, text->bytes, text->size);
        text->size = 0;
}

static void free_printed(void *data)
{
        struct printed *printed = data;

        for (int i = 0; i < STREAMS; i++) {
                commit_all(i + 1, &printed->streams[i]);
                free(printed->streams[i].bytes);
        }
        free(printed);
}

int print_init(void)
{
        if (pthread_key_create(&key, free_printed) == 0)
                return 0;
        PyErr_SetString(PyExc_RuntimeError, "no key for the threads");
        return -1;
}

static struct printed *printed_here(bool make)
{
        struct printed *printed = pthread_getspecific(key);

        if (printed || !make)
                return printed;
        printed = calloc(1, sizeof(*printed));
        if (printed && pthread_setspecific(key, printed) != 0) {
                free(printed);
                return NULL;
        }
        return printed;
}

static bool append(struct text *text, const char *bytes, size_t size)
{
        if (size > text->room - text->size) {
                size_t room = text->size + size + 256;
                char *more = realloc(text->bytes, room);

                if (!more)
                        return false;
                text->bytes = more;
                text->room = room;
        }
        if (size > 0)
                memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
        return true;
}

/* It began, and the line that names the exception, the first one that is not indented, is missing.
 * @size: whole lines. */
static bool is_open_traceback(const char *bytes, size_t size)
{
        static const char begin[] = "Traceback (most recent call last):\n";
        const char *newline;

        if (size < sizeof(begin) - 1 || memcmp(bytes, begin, sizeof(begin) - 1) != 0)
                return false;
        newline = memrchr(bytes, '\n', size - 1);
        return !newline || is_space(newline[1]);
}

/* Whether it is a record now. A text in several lines that does not end with one (print() writes
 * its newline by itself) stays together. */
static bool is_complete(const struct text *text)
{
        if (text->size > TEXT_MAX)
                return true;
        return text->size > 0 && text->bytes[text->size - 1] == '\n' &&
               !is_open_traceback(text->bytes, text->size);
}

static int print_bytes(int stream, const char *bytes, size_t size)
{
        struct printed *printed = printed_here(true);
        struct text *text = printed ? &printed->streams[stream - 1] : NULL;

        if (!text || !append(text, bytes, size)) {
                (void)PyErr_NoMemory();
                return -1;
        }
        if (is_complete(text))
                commit_all(stream, text);
        return 0;
}

static int stream_of(PyObject *number)
{
        long stream = PyLong_AsLong(number);

        if (stream == 1 || stream == 2)
                return (int)stream;
        if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "stream 1 or 2");
        return -1;
}

/* PEP 3333 wants wsgi.errors to take any str. */
PyObject *print_write(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
        _cleanup_object_ PyObject *bytes = NULL;
        int stream = n == 2 ? stream_of(args[0]) : -1;

        (void)module;
        if (stream < 0 || !PyUnicode_Check(args[1])) {
                if (!PyErr_Occurred())
                        (void)PyErr_Format(PyExc_TypeError, "write() takes a str, not '%.100s'",
                                           n == 2 ? Py_TYPE(args[1])->tp_name : "nothing");
                return NULL;
        }
        bytes = PyUnicode_AsEncodedString(args[1], "utf-8", "backslashreplace");
        if (!bytes ||
            print_bytes(stream, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)) < 0)
                return NULL;
        return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(args[1]));
}

static void flush(int stream)
{
        struct printed *printed = printed_here(false);
        struct text *text = printed ? &printed->streams[stream - 1] : NULL;

        if (text)
                commit_all(stream, text);
}

PyObject *print_flush(PyObject *module, PyObject *number)
{
        int stream = stream_of(number);

        (void)module;
        if (stream < 0)
                return NULL;
        flush(stream);
        Py_RETURN_NONE;
}

void print_flush_all(void)
{
        flush(1);
        flush(2);
}
