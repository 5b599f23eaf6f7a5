/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request in an application. */
#pragma once

#include <appsrv/appsrv.h>

#include "wsgi/python.h"

/* What a request needs of its application; made once. */
struct application {
        appsrv_ctx *ctx;
        PyObject *callable;
        PyObject *environ; /* what all environs have in common */
        unsigned entries;  /* of the interpreter, when it was asked last whether it hangs */
};

/** serve() - call the application, give its response. Return: what handle() of appsrv.h does. */
int serve(const struct application *application, appsrv_req *req);
