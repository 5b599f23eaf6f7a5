/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Python's cache of what types have is by the string, not by its text, and keeps it: of a new one
 * each time it would in the end have thousands, in the places of those that applications ask for.
 */
#include "wsgi/names.h"

static PyObject *names[NAMES];

int names_init(void)
{
        static const char *const texts[NAMES] = {
                [NAME_CLOSE] = "close",
                [NAME_EXCEPTION] = "exception",
                [NAME_READ] = "read",
                [NAME_TELL] = "tell",
        };

        for (size_t i = 0; i < NAMES; i++) {
                names[i] = PyUnicode_InternFromString(texts[i]);
                if (!names[i])
                        return -1;
        }
        return 0;
}

PyObject *name_of(enum name name)
{
        return names[name];
}
