/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Python.h as this folder uses it, and owners of references.
 *
 * All functions of the folder are called with the GIL held, and with no exception set, unless they
 * say otherwise. PyObject * that a function returns is the caller's; NULL means that an exception
 * is set.
 */
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

static inline void cleanup_object(PyObject *const *object)
{
        Py_XDECREF(*object);
}

#define _cleanup_object_ __attribute__((cleanup(cleanup_object)))
