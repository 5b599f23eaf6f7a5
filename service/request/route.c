/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which application a path belongs to. A scan: applications are few, and the longest mount must win
 * anyway. Loop thread.
 */
#include "request/route.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Bytes of a path that a mount takes, its own slash at the end not counted: "/" takes 0. */
static size_t mount_size(const char *mount)
{
        return mount[1] ? strlen(mount) : 0;
}

static bool mounted_above(const char *mount, const char *path, size_t path_size)
{
        size_t size = mount_size(mount);

        if (path_size < size || memcmp(mount, path, size) != 0)
                return false;
        return size == path_size ? size > 0 : path[size] == '/';
}

/* The longer mount wins; at the same mount a fallback gives way. */
static bool better(const struct app_config *app, const struct app_config *than)
{
        size_t size = mount_size(app->mount), other = mount_size(than->mount);

        return size != other ? size > other : !app->fallback && than->fallback;
}

int route_find(const struct config *config, const char *path, size_t path_size)
{
        int found = -ENOENT;

        for (size_t i = 0; i < config->n_apps; i++) {
                const struct app_config *app = &config->apps[i];

                if (!mounted_above(app->mount, path, path_size))
                        continue;
                if (found < 0 || better(app, &config->apps[found]))
                        found = (int)i;
        }
        return found;
}
