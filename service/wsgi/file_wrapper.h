/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wsgi.file_wrapper: a file as the body of a response. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wsgi/python.h"

extern PyTypeObject file_wrapper_type;

/** file_wrapper_init() - once. Return: 0, or -1 with an exception. */
int file_wrapper_init(void);

/* Part of a file that the kernel can send. */
struct file_part {
        int fd;
        uint64_t offset;
        uint64_t size;
};

/** file_wrapper_part() - what @object would give, when it is a wrapper around a plain file; false,
 * without an exception, for all else: that is read. */
bool file_wrapper_part(PyObject *object, struct file_part *ret);
