/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of static applications: a table of them, each with its reader. Any thread. */
#include "app/static_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/number.h"

/* RFC 9111 1.2.2: caches take what is greater for this. */
#define MAX_AGE_MAX (UINT64_C(1) << 31)

/* What a key may be, and how it is read: returns what was expected instead, NULL when all is well.
 */
struct setting {
        const char *name;
        const char *value; /* the default; NULL: it must be given */
        const char *(*read)(struct static_settings *settings, const char *value);
};

static const char *read_root(struct static_settings *settings, const char *value)
{
        settings->root = value;
        return *value == '/' ? NULL : "an absolute path such as /srv/www";
}

static const char *read_index(struct static_settings *settings, const char *value)
{
        settings->index = value;
        return *value == '.' || strchr(value, '/')
                       ? "the name of a file such as index.html, that does not begin with a dot, "
                         "or nothing"
                       : NULL;
}

static const char *read_listing(struct static_settings *settings, const char *value)
{
        return parse_boolean(value, &settings->listing) < 0 ? "yes or no" : NULL;
}

static const char *read_precompressed(struct static_settings *settings, const char *value)
{
        return parse_boolean(value, &settings->precompressed) < 0 ? "yes or no" : NULL;
}

static const char *read_max_age(struct static_settings *settings, const char *value)
{
        uint64_t seconds;

        settings->cache_control[0] = '\0';
        if (!*value)
                return NULL;
        if (parse_number(value, &seconds) < 0 || seconds > MAX_AGE_MAX)
                return "a number of seconds up to 2147483648, or nothing";
        (void)snprintf(settings->cache_control, CACHE_CONTROL_MAX, "max-age=%" PRIu32,
                       (uint32_t)seconds);
        return NULL;
}

static const struct setting table[] = {
        {"root", NULL, read_root},       {"index", "index.html", read_index},
        {"listing", "no", read_listing}, {"precompressed", "yes", read_precompressed},
        {"max_age", "", read_max_age},
};

#define N_SETTINGS (sizeof(table) / sizeof(table[0]))

static const char *const known[] = {
        "root", "index", "listing", "precompressed", "max_age",
#define APP_SETTING(key, value, doc) #key,
#include "config/config.def"
};

static const struct app_key *find_key(const struct app_config *config, const char *name)
{
        for (size_t i = 0; i < config->n_keys; i++) {
                if (strcmp(config->keys[i].name, name) == 0)
                        return &config->keys[i];
        }
        return NULL;
}

const struct origin *static_settings_origin(const struct app_config *config, const char *name)
{
        const struct app_key *key = find_key(config, name);

        return key ? &key->origin : &config->origin;
}

static int read_setting(struct static_settings *settings, const struct setting *setting,
                        const struct app_config *config, struct problems *problems)
{
        const struct app_key *key = find_key(config, setting->name);
        const char *expected;

        if (!key && !setting->value)
                return problems_add(problems, static_settings_origin(config, setting->name),
                                    "[app %s] %s: missing, a static application needs it: the "
                                    "folder of its files",
                                    config->name, setting->name);
        expected = setting->read(settings, key ? key->value : setting->value);
        if (!expected)
                return 0;
        return problems_add(problems, static_settings_origin(config, setting->name),
                            "[app %s] %s: '%s', expected %s", config->name, setting->name,
                            key ? key->value : "", expected);
}

static bool is_setting(const char *name)
{
        for (size_t i = 0; i < N_SETTINGS; i++) {
                if (strcmp(table[i].name, name) == 0)
                        return true;
        }
        return false;
}

static int refuse_unknown(const struct app_config *config, struct problems *problems)
{
        int r = 0;

        for (size_t i = 0; i < config->n_keys; i++) {
                const struct app_key *key = &config->keys[i];
                const char *nearest;

                if (is_setting(key->name))
                        continue;
                nearest = nearest_name(key->name, known, sizeof(known) / sizeof(known[0]));
                r = problems_add(problems, &key->origin,
                                 "[app %s] %s: a static application knows no such key%s%s%s",
                                 config->name, key->name, nearest ? ", did you mean '" : "",
                                 nearest ? nearest : "", nearest ? "'?" : "");
        }
        return r;
}

int static_settings_read(struct static_settings *ret, const struct app_config *config,
                         struct problems *problems)
{
        struct static_settings settings = {0};
        int result = refuse_unknown(config, problems);

        for (size_t i = 0; i < N_SETTINGS; i++) {
                int r = read_setting(&settings, &table[i], config, problems);

                result = r < 0 ? r : result;
        }
        if (result == 0)
                *ret = settings;
        return result;
}
