/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file in INI syntax, handed on piece by piece with the line of each. One thread. */
#pragma once

#include "config/problems.h"

/* Who takes the pieces; the strings are gone after the call, but for origin->file. */
struct parse_sink {
        /* "[name]" begins. Return: 1, 0 to skip its keys; -ENOMEM, which ends it all. */
        int (*section)(void *context, const char *name, const struct origin *origin);

        /* "key = value" of the section that began last. Return: 0; -ENOMEM, which ends it all. */
        int (*key)(void *context, const char *key, const char *value, const struct origin *origin);

        void *context;
};

/**
 * parse_file() - read one file
 * @path:     is what the origins point to, so that it must outlive them
 * @problems: each line that is no INI is added, and a file that cannot be read
 *
 * Blocks on the file system. Return: 0, whatever was added; -ENOENT when there is no such file, and
 * nothing was added; -ENOMEM.
 */
int parse_file(const char *path, const struct parse_sink *sink, struct problems *problems);
