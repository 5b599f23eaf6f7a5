/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in module _appsrv: what the Python package appsrv is made with. */
#include "wsgi/module.h"

#include <errno.h>
#include <unistd.h>

#include "wsgi/current.h"
#include "wsgi/environ.h"
#include "wsgi/file_wrapper.h"
#include "wsgi/input.h"
#include "wsgi/interpreter.h"
#include "wsgi/journal.h"
#include "wsgi/names.h"
#include "wsgi/print.h"
#include "wsgi/response.h"

/* Of what is asked for at once: far more than any setting allows. */
#define SECONDS_MAX 1e9

/* False: the child is a worker of the server, and no child of the application. */
static PyObject *forked(PyObject *module, PyObject *nothing)
{
        (void)module;
        (void)nothing;
        if (interpreter_is_forked())
                Py_RETURN_FALSE;
        current_fork();
        Py_RETURN_TRUE;
}

/* Levels are those of logging: 10 is DEBUG. */
static PyObject *enabled(PyObject *module, PyObject *level)
{
        struct current here = current_here();
        long number = PyLong_AsLong(level);

        (void)module;
        if (number == -1 && PyErr_Occurred())
                return NULL;
        return PyBool_FromLong(here.ctx && appsrv_log_enabled(here.ctx, journal_level(number)));
}

/* Standard error where nobody takes stacks. */
static PyObject *stack(PyObject *module, PyObject *nothing)
{
        struct current here = current_here();
        int fd = here.ctx ? appsrv_stack_fd(here.ctx) : -1;

        (void)module;
        (void)nothing;
        return PyLong_FromLong(fd >= 0 ? fd : STDERR_FILENO);
}

/* Seconds; None: no limit, or no request. */
static PyObject *time_left(PyObject *module, PyObject *nothing)
{
        struct current here = current_here();
        int64_t usec = here.req ? appsrv_time_left(here.req) : INT64_MAX;

        (void)module;
        (void)nothing;
        if (usec == INT64_MAX)
                Py_RETURN_NONE;
        return PyFloat_FromDouble((double)usec / 1e6);
}

static PyObject *extend(PyObject *module, PyObject *seconds)
{
        struct current here = current_here();
        double number = PyFloat_AsDouble(seconds);
        int r = 0;

        (void)module;
        if (number == -1 && PyErr_Occurred())
                return NULL;
        if (!(number > 0 && number < SECONDS_MAX))
                return PyErr_Format(PyExc_ValueError, "seconds must be more than 0");
        if (here.req)
                r = appsrv_extend(here.req, (int64_t)(number * 1e6) + 1);
        if (r == -ETIMEDOUT)
                return PyErr_Format(PyExc_TimeoutError, "the request has timed out already");
        if (r < 0)
                return PyErr_Format(PyExc_ValueError, "more than [http] request_timeout_max");
        Py_RETURN_NONE;
}

/* 0 without a request: work that is for nobody in particular is not in vain. */
static PyObject *client(PyObject *module, PyObject *nothing)
{
        struct current here = current_here();

        (void)module;
        (void)nothing;
        return PyLong_FromLong(here.req ? appsrv_client(here.req) : APPSRV_CLIENT_THERE);
}

static PyMethodDef methods[] = {
        {"commit", (PyCFunction)(void (*)(void))journal_commit, METH_FASTCALL,
         "commit(record, text): one logging.LogRecord as one record of the journal."},
        {"print", (PyCFunction)(void (*)(void))print_write, METH_FASTCALL,
         "print(stream, text): text for standard output (1) or error (2)."},
        {"flush", print_flush, METH_O, "flush(stream): what was printed becomes a record."},
        {"enabled", enabled, METH_O, "enabled(level): whether the server keeps such records."},
        {"stack", stack, METH_NOARGS, "stack(): the descriptor for stacks of threads."},
        {"time_left", time_left, METH_NOARGS, "time_left(): seconds, or None."},
        {"extend", extend, METH_O, "extend(seconds): so much from now on."},
        {"client", client, METH_NOARGS, "client(): 0: there, 1: has closed his side, 2: gone."},
        {"forked", forked, METH_NOARGS, "For os.register_at_fork(after_in_child=...)."},
        {0},
};

static struct PyModuleDef definition = {
        PyModuleDef_HEAD_INIT,
        .m_name = MODULE_NAME,
        .m_doc = "What the package appsrv is made with; not for applications.",
        .m_size = -1,
        .m_methods = methods,
};

static int make_types(void)
{
        PyTypeObject *const types[] = {&input_type, &file_wrapper_type, &response_type};

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                if (PyType_Ready(types[i]) < 0)
                        return -1;
        }
        return 0;
}

PyObject *module_init(void)
{
        PyObject *module;

        if (make_types() < 0 || names_init() < 0 || current_init() < 0 || environ_init() < 0 ||
            file_wrapper_init() < 0 || journal_init() < 0 || print_init() < 0 ||
            response_init() < 0)
                return NULL;
        module = PyModule_Create(&definition);
        if (module && PyModule_AddObjectRef(module, "request_id", current_variable()) < 0)
                Py_CLEAR(module);
        return module;
}
