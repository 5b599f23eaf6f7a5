/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which request, and which application, the calling thread works for. */
#pragma once

#include <appsrv/appsrv.h>

#include <stdbool.h>

#include "wsgi/python.h"

/* On the stack of who works. */
struct current {
        appsrv_ctx *ctx;
        appsrv_req *req; /* NULL: none, the application is being loaded */
        struct current *outer;
        PyObject *context;
};

/** current_init() - once, when Python has begun. Return: 0, or -1 with an exception. */
int current_init(void);

/** current_variable() - the ContextVar that holds the id of the request, a str; borrowed. */
PyObject *current_variable(void);

/** current_load() - the thread loads an application, until current_end(). Without the GIL as well.
 */
void current_load(struct current *current, appsrv_ctx *ctx);

/**
 * current_begin() - the thread works for @req, in a context of its own (contextvars), until
 * current_end()
 * @id: of the request, a str
 *
 * Return: 0, or -1 with an exception.
 */
int current_begin(struct current *current, appsrv_ctx *ctx, appsrv_req *req, PyObject *id);
void current_end(struct current *current);

/** current_here() - of the calling thread; in one that does not work for anybody the first
 * application that was loaded, and no request. Without the GIL as well. */
struct current current_here(void);

/** current_done() - no application is left: threads that go on have none. */
void current_done(void);

/** current_id() - id of the request that the running context belongs to, also in another thread
 * that the application runs it in. Return: a str; NULL without an exception when there is none. */
PyObject *current_id(void);

/** current_forked() - this is a child that the application made by fork(): it shares the memory of
 * the worker's log and must leave it alone. Without the GIL as well. */
bool current_forked(void);

/** current_fork() - what the child calls after fork(). */
void current_fork(void);
