/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the server that is meant when nobody says which. */
#pragma once

#include <stddef.h>

#include "cli/status_look.h"

#define STATUS_PATH_MAX 4096

/* Where to look, in this order. */
struct status_places {
        const char *installed;      /* the socket of the installed service */
        const char *const *folders; /* in which servers that were started by hand make theirs */
        size_t n_folders;
};

/**
 * status_find() - look at the first server that answers: the installed one, then, folder by folder,
 * the newest one that was started by hand by the same user
 * @ret:  freed with seen_free()
 * @path: gets its path; on failure that of the socket that it was about, if any
 *
 * Return: 0; -ENOENT when there is none, else why the first one that is there cannot be looked at.
 */
int status_find(struct seen **ret, char path[static STATUS_PATH_MAX],
                const struct status_places *places);
