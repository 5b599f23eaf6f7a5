/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of files by the ends of their names, as the system's shared database has them. Read
 * once, then used by any thread.
 */
#pragma once

#include <stddef.h>

struct mime_type {
        const char *extension; /* in lower case, without the dot */
        const char *type;
};

struct mime {
        struct mime_type *types; /* sorted by extension */
        size_t n;
        char *text; /* what they point into */
};

/* Where the database may be; the first that can be read is taken. */
extern const char *const mime_files[];

/**
 * mime_load() - read the database
 * @ret:   freed with mime_free(); untouched on failure
 * @files: names that end with NULL, mime_files but for tests; "mime.types" by its lines "TYPE EXT
 *         EXT", "globs2" by its lines "WEIGHT:TYPE:*.EXT". When there is none, a few types of the
 *         web are known nevertheless.
 *
 * Blocks on the file system. Return: 0 or -ENOMEM.
 */
int mime_load(struct mime *ret, const char *const *files);

/** mime_free() - free it. */
void mime_free(struct mime *mime);

/** mime_find() - the type of a file by its name; "application/octet-stream" when nothing says. */
const char *mime_find(const struct mime *mime, const char *name);
