/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * type = wsgi: applications in Python (PEP 3333).
 *
 * A plug-in as anybody could write one: it knows of the server what appsrv.h says, and nothing
 * else.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "wsgi/current.h"
#include "wsgi/environ.h"
#include "wsgi/interpreter.h"
#include "wsgi/load.h"
#include "wsgi/probe.h"
#include "wsgi/serve.h"
#include "wsgi/tell.h"

static const char *const settings[] = {"module", "chdir", "pythonpath", "virtualenv", NULL};

static int refuse(appsrv_ctx *ctx, const char *about, int r)
{
        char why[WHY_MAX];

        tell_last_line(why, sizeof(why));
        tell_exception(about);
        appsrv_refuse(ctx, why);
        return r;
}

static int load(struct application *application)
{
        appsrv_ctx *ctx = application->ctx;
        const struct target target = {
                .module = appsrv_config(ctx, "module"),
                .chdir = appsrv_config(ctx, "chdir"),
                .pythonpath = appsrv_config(ctx, "pythonpath"),
        };

        application->environ = environ_template(ctx);
        if (application->environ)
                application->callable = load_application(&target);
        return application->callable ? 0
                                     : refuse(ctx, "The application cannot be loaded", -ENOEXEC);
}

static int make(appsrv_ctx *ctx, struct application **ret)
{
        struct application *application = calloc(1, sizeof(*application));
        int r;

        if (!application)
                return -ENOMEM;
        application->ctx = ctx;
        r = load(application);
        if (r < 0) {
                Py_CLEAR(application->environ);
                free(application);
                return r;
        }
        *ret = application;
        return 0;
}

/* With Python, or with a reason. */
static int begin(appsrv_ctx *ctx, struct application **ret)
{
        char why[WHY_MAX] = "";
        int r = interpreter_use(appsrv_config(ctx, "virtualenv"), why);

        if (r < 0) {
                appsrv_refuse(ctx, why);
                return r;
        }
        r = make(ctx, ret);
        interpreter_leave();
        if (r < 0)
                interpreter_release();
        return r;
}

static int start(appsrv_ctx *ctx, void **self)
{
        struct application *application = NULL;
        struct current current;
        int r;

        if (!appsrv_config(ctx, "module")) {
                appsrv_refuse(ctx, "module: missing; 'MODULE:NAME', as in mysite.wsgi:application");
                return -EINVAL;
        }
        current_load(&current, ctx);
        r = begin(ctx, &application);
        current_end(&current);
        *self = application;
        return r;
}

static int handle(appsrv_req *req, void *self)
{
        int r = interpreter_enter();

        if (r < 0)
                return r;
        r = serve(self, req);
        interpreter_leave();
        return r;
}

static void stop(appsrv_ctx *ctx, void *self)
{
        (void)ctx;
        interpreter_release();
        free(self); /* its objects live as long as the interpreter: until the process ends */
}

static int on_fork(appsrv_ctx *ctx, void *self, int when)
{
        (void)ctx;
        (void)self;
        return interpreter_fork(when);
}

/* While one thread keeps the GIL no other can take it; one that could has gone on. */
static int stalls(appsrv_ctx *ctx, void *self)
{
        struct application *application = self;
        unsigned entries = interpreter_entries();
        bool waits = probe_waits();
        bool moved = entries != application->entries;

        (void)ctx;
        application->entries = entries;
        return waits && !moved;
}

APPSRV_APP(.name = "wsgi", .version = "1", .flags = APPSRV_F_CONCURRENT | APPSRV_F_ASK_BODY,
           .settings = settings, .start = start, .handle = handle, .stop = stop, .fork = on_fork,
           .stalls = stalls);
