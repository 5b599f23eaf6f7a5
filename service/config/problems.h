/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Problems of a configuration, collected so that all are told at once. One thread. */
#pragma once

#include <stddef.h>

/* Where something was written; file NULL: nowhere, it is a default. */
struct origin {
        const char *file;
        unsigned line;
};

struct problems {
        /* Each one line: "FILE:7: [server] thread: unknown key, did you mean 'threads'?" */
        char **texts;
        size_t n;
        size_t n_lost; /* problems that no memory could be had for, or beyond the first 100 */
};

/**
 * problems_add() - add one problem, printf-like
 * @origin: put in front as "file:line: ", or "file: " when the line is 0; may be NULL
 *
 * Return: always -EINVAL, so that the caller can pass it on.
 */
int problems_add(struct problems *problems, const struct origin *origin, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/** problems_free() - free all texts; the list is empty and usable again afterwards. */
void problems_free(struct problems *problems);
