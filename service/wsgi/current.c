/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which request, and which application, the calling thread works for. */
#include "wsgi/current.h"

static _Thread_local struct current *innermost;

/* Set while one thread runs. */
static PyObject *variable;
static appsrv_ctx *_Atomic first_ctx;
static bool forked;

int current_init(void)
{
        variable = PyContextVar_New("appsrv.request_id", Py_None);
        return variable ? 0 : -1;
}

PyObject *current_variable(void)
{
        return variable;
}

/* Nothing that one request sets in its context is seen by the next one of the thread. */
static int enter(struct current *current, PyObject *id)
{
        PyObject *token;

        current->context = PyContext_New();
        if (!current->context)
                return -1;
        if (PyContext_Enter(current->context) < 0) {
                Py_CLEAR(current->context);
                return -1;
        }
        token = PyContextVar_Set(variable, id);
        if (!token)
                return -1;
        Py_DECREF(token);
        return 0;
}

void current_load(struct current *current, appsrv_ctx *ctx)
{
        *current = (struct current){.ctx = ctx, .outer = innermost};
        if (!first_ctx)
                first_ctx = ctx;
        innermost = current;
}

int current_begin(struct current *current, appsrv_ctx *ctx, appsrv_req *req, PyObject *id)
{
        *current = (struct current){.ctx = ctx, .req = req, .outer = innermost};
        innermost = current;
        if (enter(current, id) == 0)
                return 0;
        current_end(current);
        return -1;
}

void current_end(struct current *current)
{
        if (current->context) {
                (void)PyContext_Exit(current->context);
                Py_CLEAR(current->context);
        }
        innermost = current->outer;
}

void current_done(void)
{
        first_ctx = NULL;
}

struct current current_here(void)
{
        return innermost ? *innermost : (struct current){.ctx = first_ctx};
}

PyObject *current_id(void)
{
        PyObject *id;

        if (PyContextVar_Get(variable, NULL, &id) < 0) {
                PyErr_Clear();
                return NULL;
        }
        if (id && !PyUnicode_Check(id))
                Py_CLEAR(id);
        return id;
}

bool current_forked(void)
{
        return forked;
}

void current_fork(void)
{
        forked = true;
}
