/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults, then the file, then the drop-ins; each value is checked where it stands. One thread. */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/number.h"
#include "config/apps.h"
#include "config/parse.h"
#include "config/settings.h"
#include "config/validate.h"

/* The same as that of [http]. */
#define APP_TIMEOUT_MAX "24h"

static const char app_word[] = "app";

static const char *const app_settings[] = {
#define APP_SETTING(key, value, doc) #key,
#include "config/config.def"
};

#define N_APP_SETTINGS (sizeof(app_settings) / sizeof(app_settings[0]))

struct loader {
        struct config *config;
        struct problems *problems;
        const char *section;    /* of the settings that are read now, or NULL */
        struct app_config *app; /* the application that is read now, or NULL */
};

/* -- sections -- */

static int unknown_section(struct loader *loader, const char *name, const struct origin *origin)
{
        const char *candidates[N_SECTIONS + 1] = {[N_SECTIONS] = app_word};
        _cleanup_free_ char *first_word = strndup(name, strcspn(name, " \t"));
        const char *meant;

        if (!first_word)
                return -ENOMEM;
        for (size_t i = 0; i < N_SECTIONS; i++)
                candidates[i] = sections[i].name;
        meant = nearest_name(first_word, candidates, N_SECTIONS + 1);
        if (meant)
                (void)problems_add(loader->problems, origin,
                                   "[%s]: unknown section, did you mean [%s%s]?", name, meant,
                                   meant == app_word ? " NAME" : "");
        else
                (void)problems_add(loader->problems, origin,
                                   "[%s]: unknown section, expected [server], [http], [tls], [log] "
                                   "or [app NAME]",
                                   name);
        return 0;
}

static int begin_app(struct loader *loader, const char *name, const struct origin *origin)
{
        int r;

        if (*name == '\0') {
                (void)problems_add(loader->problems, origin,
                                   "[app]: the name is missing, expected [app NAME]");
                return 0;
        }
        if (!app_name_valid(name)) {
                (void)problems_add(loader->problems, origin,
                                   "[app %s]: the name is not valid, expected 1 to 32 of a-z 0-9 -",
                                   name);
                return 0;
        }
        r = apps_get(&loader->app, loader->config, name, origin);
        return r < 0 ? r : 1;
}

static int begin_section(void *context, const char *name, const struct origin *origin)
{
        struct loader *loader = context;
        size_t word = strcspn(name, " \t");

        loader->section = NULL;
        loader->app = NULL;
        for (size_t i = 0; i < N_SECTIONS; i++)
                if (strcmp(sections[i].name, name) == 0) {
                        loader->section = sections[i].name;
                        return 1;
                }
        if (word == strlen(app_word) && strncmp(name, app_word, word) == 0)
                return begin_app(loader, name + word + strspn(name + word, " \t"), origin);
        return unknown_section(loader, name, origin);
}

/* -- keys -- */

static bool given_twice(struct loader *loader, const struct origin *before, const char *place,
                        const char *key, const struct origin *origin)
{
        if (before->file != origin->file)
                return false;
        (void)problems_add(loader->problems, origin, "[%s] %s: given twice, first in line %u",
                           place, key, before->line);
        return true;
}

/* The name of the section that knows a key, or NULL. */
static const char *home_of(const char *key)
{
        for (size_t i = 0; i < N_SETTINGS; i++)
                if (strcmp(settings[i].key, key) == 0)
                        return settings[i].section;
        for (size_t i = 0; i < N_APP_SETTINGS; i++)
                if (strcmp(app_settings[i], key) == 0)
                        return "app NAME";
        return NULL;
}

static void unknown_key(struct loader *loader, const char *key, const struct origin *origin)
{
        const char *here[N_SETTINGS];
        const char *home = home_of(key);
        const char *meant = NULL;
        size_t n = 0;

        for (size_t i = 0; i < N_SETTINGS; i++)
                if (strcmp(settings[i].section, loader->section) == 0)
                        here[n++] = settings[i].key;
        if (!home)
                meant = nearest_name(key, here, n);

        if (home)
                (void)problems_add(loader->problems, origin,
                                   "[%s] %s: unknown key, it belongs to [%s]", loader->section, key,
                                   home);
        else if (meant)
                (void)problems_add(loader->problems, origin,
                                   "[%s] %s: unknown key, did you mean '%s'?", loader->section, key,
                                   meant);
        else
                (void)problems_add(loader->problems, origin, "[%s] %s: unknown key",
                                   loader->section, key);
}

static void refuse_value(struct loader *loader, const struct setting *setting, const char *value,
                         int error, const struct origin *origin)
{
        const struct value_type *type = setting->type;
        const char *to = *setting->max ? " to " : "";

        if (*value == '\0')
                (void)problems_add(loader->problems, origin,
                                   "[%s] %s: the value is missing, expected %s", setting->section,
                                   setting->key, type->expected);
        else if (error == -ERANGE)
                (void)problems_add(loader->problems, origin,
                                   "[%s] %s: '%s' is out of range, expected %s%s%s%s",
                                   setting->section, setting->key, value, type->allowed,
                                   setting->min, to, setting->max);
        else
                (void)problems_add(loader->problems, origin, "[%s] %s: '%s' %s, expected %s",
                                   setting->section, setting->key, value,
                                   error == -EDOM ? "has no unit" : "is not valid", type->expected);
}

static int set_setting(struct loader *loader, const char *key, const char *value,
                       const struct origin *origin)
{
        int i = settings_find(loader->section, key);
        struct origin *place;
        uint64_t checked = 0;
        int r;

        if (i < 0) {
                unknown_key(loader, key, origin);
                return 0;
        }
        place = &loader->config->origins[i];
        if (given_twice(loader, place, loader->section, key, origin))
                return 0;
        *place = *origin;
        r = setting_check(&settings[i], value, &checked);
        if (r < 0)
                refuse_value(loader, &settings[i], value, r, origin);
        else
                setting_set(&settings[i], loader->config, value, checked);
        return 0;
}

static bool app_given_twice(struct loader *loader, const struct origin *before, const char *key,
                            const struct origin *origin)
{
        char place[sizeof("app ") + APP_NAME_MAX];

        (void)snprintf(place, sizeof(place), "app %s", loader->app->name);
        return given_twice(loader, before, place, key, origin);
}

static int set_type(struct loader *loader, const char *value, const struct origin *origin)
{
        if (*value == '\0')
                (void)problems_add(loader->problems, origin,
                                   "[app %s] type: the value is missing, expected the kind of "
                                   "application such as native",
                                   loader->app->name);
        return text_replace(&loader->app->type, value);
}

/* A bad mount is kept too, so that it is not compared as the one that it stands for by default. */
static int set_mount(struct loader *loader, const char *value, const struct origin *origin)
{
        const char *complaint = mount_complaint(value);

        if (complaint)
                (void)problems_add(loader->problems, origin,
                                   "[app %s] mount: '%s' is not valid, expected %s",
                                   loader->app->name, value, complaint);
        return text_replace(&loader->app->mount, value);
}

static int set_fallback(struct loader *loader, const char *value, const struct origin *origin)
{
        if (parse_boolean(value, &loader->app->fallback) < 0)
                (void)problems_add(loader->problems, origin,
                                   "[app %s] fallback: '%s' is not valid, expected yes or no",
                                   loader->app->name, value);
        return 0;
}

/* "" is what show-config prints where it was not given. */
static int set_request_timeout(struct loader *loader, const char *value,
                               const struct origin *origin)
{
        uint64_t usec, most;

        (void)parse_duration(APP_TIMEOUT_MAX, &most);
        if (*value == '\0')
                return 0;
        if (parse_duration(value, &usec) < 0 || usec > most)
                (void)problems_add(loader->problems, origin,
                                   "[app %s] request_timeout: '%s' is not valid, expected a "
                                   "duration such as 500ms, 10s, 2min, at most " APP_TIMEOUT_MAX,
                                   loader->app->name, value);
        else
                loader->app->request_timeout = usec;
        return 0;
}

/* A key that is none of the common ones: what it may be is for the application's kind to say. */
static int set_own_key(struct loader *loader, const char *key, const char *value,
                       const struct origin *origin)
{
        const struct app_key *before = app_key_find(loader->app, key);

        if (before && app_given_twice(loader, &before->origin, key, origin))
                return 0;
        return app_key_set(loader->app, key, value, origin);
}

static int set_app_key(struct loader *loader, const char *key, const char *value,
                       const struct origin *origin)
{
#define APP_SETTING(name, text, doc)                                                               \
        if (strcmp(key, #name) == 0) {                                                             \
                struct origin *place = &loader->app->origins.name;                                 \
                                                                                                   \
                if (app_given_twice(loader, place, key, origin))                                   \
                        return 0;                                                                  \
                *place = *origin;                                                                  \
                return set_##name(loader, value, origin);                                          \
        }
#include "config/config.def"
        return set_own_key(loader, key, value, origin);
}

static int take_key(void *context, const char *key, const char *value, const struct origin *origin)
{
        struct loader *loader = context;

        return loader->app ? set_app_key(loader, key, value, origin)
                           : set_setting(loader, key, value, origin);
}

/* -- files -- */

static int load_file(struct loader *loader, const char *path, bool optional)
{
        const struct parse_sink sink = {begin_section, take_key, loader};
        struct config *config = loader->config;
        char **files = reallocarray(config->files, config->n_files + 1, sizeof(*files));
        char *name;
        int r;

        if (!files)
                return -ENOMEM;
        config->files = files;
        name = strdup(path);
        if (!name)
                return -ENOMEM;
        files[config->n_files++] = name;

        loader->section = NULL;
        loader->app = NULL;
        r = parse_file(name, &sink, loader->problems);
        if (r != -ENOENT)
                return r;
        if (!optional)
                (void)problems_add(loader->problems, &(struct origin){.file = name},
                                   "cannot be read: %s", strerror(ENOENT));
        return 0;
}

static int is_drop_in(const struct dirent *entry)
{
        static const char ending[] = ".ini";
        size_t length = strlen(entry->d_name);

        return entry->d_name[0] != '.' && length > strlen(ending) &&
               strcmp(entry->d_name + length - strlen(ending), ending) == 0;
}

/* By bytes, in any locale: the order is part of what the configuration means. */
static int by_name(const struct dirent **one, const struct dirent **other)
{
        return strcmp((*one)->d_name, (*other)->d_name);
}

static int load_drop_in(struct loader *loader, const char *folder, const char *name)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", folder, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return load_file(loader, path, false);
}

static int load_folder(struct loader *loader, const char *folder)
{
        struct dirent **entries = NULL;
        int n = scandir(folder, &entries, is_drop_in, by_name);
        int r = 0;

        if (n < 0 && errno == ENOMEM)
                return -ENOMEM;
        if (n < 0) {
                if (errno != ENOENT)
                        (void)problems_add(loader->problems, &(struct origin){.file = folder},
                                           "cannot be read: %s", strerror(errno));
                return 0;
        }
        for (int i = 0; i < n; i++) {
                if (r == 0)
                        r = load_drop_in(loader, folder, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return r;
}

static int load_defaults(struct config *config)
{
        config->origins = calloc(N_SETTINGS, sizeof(*config->origins));
        if (!config->origins)
                return -ENOMEM;
        for (size_t i = 0; i < N_SETTINGS; i++) {
                uint64_t value = 0;
                int r = setting_check(&settings[i], settings[i].value, &value);

                if (r < 0)
                        return r;
                setting_set(&settings[i], config, settings[i].value, value);
        }
        return 0;
}

static int load_all(struct loader *loader, const struct config_source *source)
{
        int r = load_defaults(loader->config);

        if (r == 0 && source->file)
                r = load_file(loader, source->file, source->file_optional);
        if (r == 0 && source->drop_in)
                r = load_folder(loader, source->drop_in);
        return r;
}

static void free_config(struct config **config)
{
        config_free(*config);
}

int config_load(struct config **ret, const struct config_source *source, struct problems *problems)
{
        _cleanup_(free_config) struct config *config = calloc(1, sizeof(*config));
        struct loader loader = {.config = config, .problems = problems};
        size_t before = problems->n + problems->n_lost;
        int r;

        if (!config)
                return -ENOMEM;
        r = load_all(&loader, source);
        if (r < 0)
                return r;
        validate_apps(config, problems);
        if (source->check_apps)
                (void)source->check_apps(config, problems);
        if (problems->n + problems->n_lost > before)
                return -EINVAL;
        *ret = TAKE_PTR(config);
        return 0;
}
