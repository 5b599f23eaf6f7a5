/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which program a request means, and what of its path is left for it. Application threads. */
#pragma once

#include <stdbool.h>

#include "app/cgi_settings.h"
#include "app/tree.h"
#include "base/arena.h"

struct cgi_program {
        const char *file;      /* absolute */
        const char *directory; /* that it lies in */
        const char *script;    /* what the mount and it have in common with the path: SCRIPT_NAME */
        const char *extra;     /* what follows: PATH_INFO; "": nothing */
};

/** cgi_program_is_nph() - whether the name of a file says that it is a program without parsed
 * headers. */
bool cgi_program_is_nph(const char *file);

/**
 * cgi_program_find() - find it
 * @tree:  of settings->root; not used with settings->program
 * @mount: without a slash at its end
 * @path:  of the request, at or below @mount
 * @arena: for what is put together
 *
 * Return: 0; the status that the client gets: 403, 404, or 501 for a program without parsed
 * headers; a negative errno.
 */
int cgi_program_find(struct cgi_program *ret, const struct cgi_settings *settings,
                     const struct tree *tree, const char *mount, const char *path,
                     struct arena *arena);
