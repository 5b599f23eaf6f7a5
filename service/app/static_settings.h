/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of an application of type static. Pure; any thread. */
#pragma once

#include <stdbool.h>

#include "config/config.h"

#define CACHE_CONTROL_MAX 32 /* "max-age=2147483648" and a NUL */

struct static_settings {
        const char *root;  /* absolute; the configuration's memory, as all texts but one */
        const char *index; /* "": none */
        bool listing;
        bool precompressed;
        char cache_control[CACHE_CONTROL_MAX]; /* "": none */
};

/**
 * static_settings_read() - read the keys, those that are missing with their defaults
 * @ret: untouched on failure
 *
 * Return: 0, or -EINVAL when problems were added.
 */
int static_settings_read(struct static_settings *ret, const struct app_config *config,
                         struct problems *problems);

/** static_settings_origin() - where a key was written; the section's place when it was not. */
const struct origin *static_settings_origin(const struct app_config *config, const char *name);
