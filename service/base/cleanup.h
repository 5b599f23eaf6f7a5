/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope-bound clean-up: a variable so marked releases what it owns when it goes. Any thread. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_      _cleanup_(free_pointer)
#define _cleanup_close_     _cleanup_(close_descriptor)

/* Hand a pointer on to its next owner: the variable is left NULL, its clean-up does nothing. */
#define TAKE_PTR(pointer)                                                                          \
        ({                                                                                         \
                __typeof__(pointer) _taken = (pointer);                                            \
                (pointer) = NULL;                                                                  \
                _taken;                                                                            \
        })

/* The same for a descriptor, which is left -1. */
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _taken_fd = (fd);                                                              \
                (fd) = -1;                                                                         \
                _taken_fd;                                                                         \
        })

static inline void free_pointer(void *pointer)
{
        free(*(void **)pointer);
}

static inline void close_descriptor(const int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
}
