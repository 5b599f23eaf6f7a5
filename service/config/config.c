/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loaded configuration: its applications and the end of its life. One thread. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/apps.h"

void config_free(struct config *config)
{
        if (!config)
                return;
        for (size_t i = config->n_apps; i > 0; i--)
                app_config_clear(&config->apps[i - 1]);
        free(config->apps);
        for (size_t i = config->n_files; i > 0; i--)
                free(config->files[i - 1]);
        free(config->files);
        free(config->origins);
        free(config);
}

const char *app_config_get(const struct app_config *app, const char *key)
{
        const struct app_key *found = app_key_find(app, key);

        return found ? found->value : NULL;
}

int config_add_app(struct config *config, const char *name, const char *type, const char *mount,
                   const char *key, const char *value)
{
        static const struct origin command_line;
        size_t before = config->n_apps;
        struct app_config *app;
        int r = apps_get(&app, config, name, &command_line);

        if (r < 0)
                return r;
        r = text_replace(&app->type, type);
        if (r == 0)
                r = text_replace(&app->mount, mount);
        if (r == 0)
                r = app_key_set(app, key, value, &command_line);
        if (r < 0 && config->n_apps > before)
                app_config_clear(&config->apps[--config->n_apps]);
        return r;
}
