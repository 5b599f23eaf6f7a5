/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From "pkg.mod:app" to the object that is called. */
#pragma once

#include "wsgi/python.h"

/* What the configuration says of an application. */
struct target {
        const char *module;     /* "pkg.mod:app", "pkg.mod:make()", "pkg.mod": its `application` */
        const char *chdir;      /* the working directory; NULL: as it is */
        const char *pythonpath; /* folders with ':' between; NULL: none */
};

/** load_application() - import it. Return: what is called; NULL with an exception. */
PyObject *load_application(const struct target *target);
