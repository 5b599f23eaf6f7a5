/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of attributes that requests ask for. */
#pragma once

#include "wsgi/python.h"

enum name {
        NAME_CLOSE,
        NAME_EXCEPTION,
        NAME_READ,
        NAME_TELL,
        NAMES,
};

/** names_init() - once. Return: 0, or -1 with an exception. */
int names_init(void);

/** name_of() - borrowed. */
PyObject *name_of(enum name name);
