/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of applications in a configuration: how it grows while files are read. One thread. */
#pragma once

#include <stdbool.h>

#include "config/config.h"

#define APP_NAME_MAX 32

/** app_name_valid() - whether it is [a-z0-9-]+ of 1 to APP_NAME_MAX characters. */
bool app_name_valid(const char *name);

/**
 * apps_get() - the application of a name, created with its defaults when there is none
 * @ret:    it; valid until the next one is created
 * @origin: of the section that names it; its file gives the folder
 *
 * Return: 0, or -ENOMEM.
 */
int apps_get(struct app_config **ret, struct config *config, const char *name,
             const struct origin *origin);

/** text_replace() - put a copy of @text in place of a string. Return: 0, -ENOMEM. */
int text_replace(char **place, const char *text);

/** app_key_set() - add a key, or replace its value and origin. Return: 0, or -ENOMEM. */
int app_key_set(struct app_config *app, const char *name, const char *value,
                const struct origin *origin);

/** app_key_find() - a key that is none of the common ones; NULL when it is not set. */
struct app_key *app_key_find(const struct app_config *app, const char *name);

/** app_config_clear() - free what an application holds, not the struct itself. */
void app_config_clear(struct app_config *app);
