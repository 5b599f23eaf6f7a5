/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request in an application. */
#include "wsgi/serve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wsgi/answer.h"
#include "wsgi/current.h"
#include "wsgi/environ.h"
#include "wsgi/input.h"
#include "wsgi/print.h"
#include "wsgi/tell.h"

#define METHOD_MAX 32
#define TARGET_MAX 200

/* That the client left is nobody's failure. */
static int fail(appsrv_req *req)
{
        char what[METHOD_MAX + TARGET_MAX + 32];

        if (response_left()) {
                PyErr_Clear();
                return -EPIPE;
        }
        (void)snprintf(what, sizeof(what), "Exception in %s %.*s", appsrv_method(req), TARGET_MAX,
                       appsrv_target(req, NULL));
        tell_exception(what);
        return -ECANCELED;
}

static int call(const struct application *application, PyObject *variables,
                struct response *response)
{
        PyObject *const args[] = {variables, (PyObject *)response};
        _cleanup_object_ PyObject *result =
                PyObject_Vectorcall(application->callable, args, 2, NULL);

        return result ? answer(response, result) : -1;
}

static int serve_with(const struct application *application, appsrv_req *req, PyObject *id)
{
        _cleanup_object_ PyObject *input = input_new(req);
        _cleanup_object_ PyObject *variables =
                input ? environ_new(application->environ, req, input, id) : NULL;
        struct response *response = variables ? response_new(req) : NULL;
        int r;

        if (!response)
                return fail(req);
        r = call(application, variables, response) < 0 ? fail(req) : 0;
        if (input)
                input_end(input);
        response_end(response);
        Py_DECREF(response);
        return r;
}

/* A child that the application forked has come back from it: the request is the parent's. */
static void end_fork(int r)
{
        if (current_forked())
                _exit(r < 0);
}

int serve(const struct application *application, appsrv_req *req)
{
        const char *text = appsrv_info(req, "id");
        _cleanup_object_ PyObject *id =
                PyUnicode_DecodeLatin1(text, (Py_ssize_t)strlen(text), NULL);
        struct current current;
        int r;

        if (!id || current_begin(&current, application->ctx, req, id) < 0)
                return fail(req);
        r = serve_with(application, req, id);
        print_flush_all();
        end_fork(r);
        current_end(&current);
        return r;
}
