/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of CGI applications: a table of them, each with its reader. Any thread. */
#include "app/cgi_settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "app/cgi_environ.h"
#include "app/cgi_program.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "base/number.h"
#include "config/apps.h"

/* What a key may be, and how it is read: returns what was expected instead, NULL when all is well.
 */
struct setting {
        const char *name;
        const char *value; /* the default */
        const char *(*read)(void *place, const char *value);
        size_t offset; /* of the place in struct cgi_settings */
};

static const char *read_path(void *place, const char *value)
{
        *(const char **)place = value;
        return *value && *value != '/' ? "an absolute path" : NULL;
}

static const char *read_duration(void *place, const char *value)
{
        return parse_duration(value, place) < 0 ? "a duration such as 60s or 5min" : NULL;
}

/* What setrlimit(2) counts. */
static const char *read_seconds(void *place, const char *value)
{
        uint64_t *usec = place;

        if (parse_duration(value, usec) < 0 || *usec % USEC_PER_SEC != 0)
                return "whole seconds such as 10s";
        *usec /= USEC_PER_SEC;
        return NULL;
}

static const char *read_size(void *place, const char *value)
{
        return parse_size(value, place) < 0 ? "a size such as 512k or 100m" : NULL;
}

static const char *read_number(void *place, const char *value)
{
        return parse_number(value, place) < 0 ? "a number" : NULL;
}

static const char *read_boolean(void *place, const char *value)
{
        return parse_boolean(value, place) < 0 ? "yes or no" : NULL;
}

static const char *read_inherit(void *place, const char *value)
{
        const char *name;
        size_t size;

        *(const char **)place = value;
        while ((size = cgi_settings_next(&value, &name)) > 0)
                if (!cgi_name_free(name, size))
                        return "names of variables, separated by commas, that the server does not "
                               "set itself";
        return NULL;
}

#define AT(member) offsetof(struct cgi_settings, member)

static const struct setting table[] = {
        {"program", "", read_path, AT(program)},
        {"root", "", read_path, AT(root)},
        {"interpreter", "", read_path, AT(interpreter)},
        {"document_root", "", read_path, AT(document_root)},
        {"inherit", "PATH", read_inherit, AT(inherit)},
        {"timeout", "60s", read_duration, AT(timeout)},
        {"deadline", "1h", read_duration, AT(deadline)},
        {"linger", "2s", read_duration, AT(linger)},
        {"output_limit", "0", read_size, AT(output_limit)},
        {"error_limit", "1m", read_size, AT(error_limit)},
        {"concurrency", "0", read_number, AT(concurrency)},
        {"limit_memory", "0", read_size, AT(limit_memory)},
        {"limit_cpu", "0", read_seconds, AT(limit_cpu)},
        {"limit_files", "1024", read_number, AT(limit_files)},
        {"limit_file_size", "0", read_size, AT(limit_file_size)},
        {"authorization", "no", read_boolean, AT(authorization)},
        {"detach", "no", read_boolean, AT(detach)},
};

#define N_SETTINGS (sizeof(table) / sizeof(table[0]))

static const char *const common[] = {
#define APP_SETTING(key, value, doc) #key,
#include "config/config.def"
};

#define N_COMMON (sizeof(common) / sizeof(common[0]))

size_t cgi_settings_next(const char **list, const char **ret)
{
        static const char between[] = ", \t";
        size_t size;

        *ret = *list + strspn(*list, between);
        size = strcspn(*ret, between);
        *list = *ret + size;
        return size;
}

const struct origin *cgi_settings_origin(const struct app_config *config, const char *name)
{
        const struct app_key *key = app_key_find(config, name);

        return key ? &key->origin : &config->origin;
}

static int read_setting(struct cgi_settings *settings, const struct setting *setting,
                        const struct app_config *config, struct problems *problems)
{
        const struct app_key *key = app_key_find(config, setting->name);
        const char *value = key ? key->value : setting->value;
        const char *expected = setting->read((char *)settings + setting->offset, value);

        if (!expected)
                return 0;
        return problems_add(problems, cgi_settings_origin(config, setting->name),
                            "[app %s] %s: '%s', expected %s", config->name, setting->name, value,
                            expected);
}

static bool is_setting(const char *name)
{
        for (size_t i = 0; i < N_SETTINGS; i++) {
                if (strcmp(table[i].name, name) == 0)
                        return true;
        }
        return false;
}

static const char *nearest_key(const char *name)
{
        const char *names[N_SETTINGS + N_COMMON];

        for (size_t i = 0; i < N_SETTINGS; i++)
                names[i] = table[i].name;
        memcpy(names + N_SETTINGS, common, sizeof(common));
        return nearest_name(name, names, N_SETTINGS + N_COMMON);
}

/* A key that is none of the table: of a variable, or a mistake. */
static int check_other(const struct app_config *config, const struct app_key *key,
                       struct problems *problems)
{
        size_t prefix = strlen(CGI_ENV_PREFIX);
        const char *nearest;

        if (strncmp(key->name, CGI_ENV_PREFIX, prefix) == 0) {
                const char *name = key->name + prefix;

                if (cgi_name_free(name, strlen(name)))
                        return 0;
                return problems_add(problems, &key->origin,
                                    "[app %s] %s: no name of a variable, or one that the server "
                                    "sets itself",
                                    config->name, key->name);
        }
        nearest = nearest_key(key->name);
        return problems_add(problems, &key->origin,
                            "[app %s] %s: a CGI application knows no such key%s%s%s", config->name,
                            key->name, nearest ? ", did you mean '" : "", nearest ? nearest : "",
                            nearest ? "'?" : "");
}

/* What the keys must be together. */
static int check_programs(const struct cgi_settings *settings, const struct app_config *config,
                          struct problems *problems)
{
        if (!*settings->program && !*settings->root)
                return problems_add(problems, &config->origin,
                                    "[app %s] program: missing, a CGI application needs it, or "
                                    "root: the folder of its programs",
                                    config->name);
        if (*settings->program && *settings->root)
                return problems_add(problems, cgi_settings_origin(config, "root"),
                                    "[app %s] root: with program there is no use for it",
                                    config->name);
        if (cgi_program_is_nph(settings->program))
                return problems_add(problems, cgi_settings_origin(config, "program"),
                                    "[app %s] program: %s: programs that write the whole HTTP "
                                    "response (nph-) cannot be served",
                                    config->name, settings->program);
        return 0;
}

int cgi_settings_read(struct cgi_settings *ret, const struct app_config *config,
                      struct problems *problems)
{
        struct cgi_settings settings = {0};
        int r, result = 0;

        for (size_t i = 0; i < config->n_keys; i++) {
                if (is_setting(config->keys[i].name))
                        continue;
                r = check_other(config, &config->keys[i], problems);
                result = r < 0 ? r : result;
        }
        for (size_t i = 0; i < N_SETTINGS; i++) {
                r = read_setting(&settings, &table[i], config, problems);
                result = r < 0 ? r : result;
        }
        if (result == 0)
                result = check_programs(&settings, config, problems);
        if (result == 0)
                *ret = settings;
        return result;
}
