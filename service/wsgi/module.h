/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in module _appsrv: what the Python package appsrv is made with. */
#pragma once

#include "wsgi/python.h"

#define MODULE_NAME "_appsrv"

/** module_init() - for PyImport_AppendInittab(). */
PyObject *module_init(void);
