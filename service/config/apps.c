/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications and their keys as flat arrays: there are a handful of each. One thread. */
#include "config/apps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"

bool app_name_valid(const char *name)
{
        size_t length = strlen(name);

        return length > 0 && length <= APP_NAME_MAX &&
               strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int text_replace(char **place, const char *text)
{
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        free(*place);
        *place = copy;
        return 0;
}

static char *folder_of(const char *file)
{
        const char *slash = file ? strrchr(file, '/') : NULL;

        if (!slash)
                return strdup(".");
        return slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
}

void app_config_clear(struct app_config *app)
{
        for (size_t i = app->n_keys; i > 0; i--) {
                free(app->keys[i - 1].value);
                free(app->keys[i - 1].name);
        }
        free(app->keys);
        free(app->directory);
        free(app->mount);
        free(app->type);
        free(app->name);
        *app = (struct app_config){0};
}

/* On failure the caller clears what is there already. */
static int app_init(struct app_config *app, const char *name, const struct origin *origin)
{
        *app = (struct app_config){.origin = *origin};
        app->directory = folder_of(origin->file);
        if (!app->directory || text_replace(&app->name, name) < 0)
                return -ENOMEM;
#define DEFAULT_type(text)            text_replace(&app->type, text)
#define DEFAULT_mount(text)           text_replace(&app->mount, text)
#define DEFAULT_fallback(text)        parse_boolean(text, &app->fallback)
#define DEFAULT_request_timeout(text) (app->request_timeout = USEC_NEVER, 0)
#define APP_SETTING(key, value, doc)                                                               \
        if (DEFAULT_##key(value) < 0)                                                              \
                return -ENOMEM;
#include "config/config.def"
        return 0;
}

int apps_get(struct app_config **ret, struct config *config, const char *name,
             const struct origin *origin)
{
        struct app_config *apps;
        int r;

        for (size_t i = 0; i < config->n_apps; i++)
                if (strcmp(config->apps[i].name, name) == 0) {
                        *ret = &config->apps[i];
                        return 0;
                }

        apps = reallocarray(config->apps, config->n_apps + 1, sizeof(*apps));
        if (!apps)
                return -ENOMEM;
        config->apps = apps;
        r = app_init(&apps[config->n_apps], name, origin);
        if (r < 0) {
                app_config_clear(&apps[config->n_apps]);
                return r;
        }
        *ret = &apps[config->n_apps++];
        return 0;
}

struct app_key *app_key_find(const struct app_config *app, const char *name)
{
        for (size_t i = 0; i < app->n_keys; i++)
                if (strcmp(app->keys[i].name, name) == 0)
                        return &app->keys[i];
        return NULL;
}

static int add_key(struct app_config *app, const char *name, const char *value,
                   const struct origin *origin)
{
        _cleanup_free_ char *new_name = strdup(name), *new_value = strdup(value);
        struct app_key *keys = reallocarray(app->keys, app->n_keys + 1, sizeof(*keys));

        if (keys)
                app->keys = keys;
        if (!keys || !new_name || !new_value)
                return -ENOMEM;
        keys[app->n_keys++] = (struct app_key){
                .name = TAKE_PTR(new_name), .value = TAKE_PTR(new_value), .origin = *origin};
        return 0;
}

int app_key_set(struct app_config *app, const char *name, const char *value,
                const struct origin *origin)
{
        struct app_key *key = app_key_find(app, name);
        int r;

        if (!key)
                return add_key(app, name, value, origin);
        r = text_replace(&key->value, value);
        if (r == 0)
                key->origin = *origin;
        return r;
}
