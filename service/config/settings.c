/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of settings, and the one place that knows how wide a setting is stored. Any thread. */
#include "config/settings.h"

#include <errno.h>
#include <string.h>

_Static_assert(CONFIG_TEXT_MAX <= VALUE_TEXT_MAX, "a text can be formatted");

const struct section sections[N_SECTIONS] = {
#define SECTION(section, text) {#section, text},
#include "config/config.def"
};

const struct setting settings[N_SETTINGS] = {
#define SETTING(section_name, key_name, type_name, text, least, most, words)                       \
        {                                                                                          \
                .section = #section_name,                                                          \
                .key = #key_name,                                                                  \
                .doc = (words),                                                                    \
                .type = &value_type_##type_name,                                                   \
                .value = (text),                                                                   \
                .min = (least),                                                                    \
                .max = (most),                                                                     \
                .offset = offsetof(struct config, section_name##_##key_name),                      \
                .size = sizeof(setting_##type_name),                                               \
        },
#include "config/config.def"
};

#define TYPE(name, parse, parse_limit, format, expected, allowed)                                  \
        _Static_assert(sizeof(setting_##name) == 4 || sizeof(setting_##name) == 8 ||               \
                               sizeof(setting_##name) == CONFIG_TEXT_MAX,                          \
                       #name);
#include "config/config.def"

int settings_find(const char *section, const char *key)
{
        for (int i = 0; i < N_SETTINGS; i++)
                if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
                        return i;
        return -ENOENT;
}

static int within_limits(const struct setting *setting, uint64_t value)
{
        uint64_t min = 0, max = 0;
        int r;

        if (!setting->type->parse_limit)
                return 0;
        r = setting->type->parse_limit(setting->min, &min);
        if (r == 0)
                r = setting->type->parse_limit(setting->max, &max);
        if (r < 0)
                return r;
        return value < min || value > max ? -ERANGE : 0;
}

int setting_check(const struct setting *setting, const char *text, uint64_t *ret)
{
        uint64_t value = 0;
        int r = setting->type->parse(text, &value);

        if (r == 0)
                r = within_limits(setting, value);
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

void setting_set(const struct setting *setting, struct config *config, const char *text,
                 uint64_t value)
{
        char *place = (char *)config + setting->offset;
        uint32_t narrow = (uint32_t)value;

        if (setting->size == sizeof(narrow))
                memcpy(place, &narrow, sizeof(narrow));
        else if (setting->size == sizeof(value))
                memcpy(place, &value, sizeof(value));
        else
                memcpy(place, text, strlen(text) + 1);
}

char *setting_format(const struct setting *setting, const struct config *config,
                     char text[static VALUE_TEXT_MAX])
{
        const char *place = (const char *)config + setting->offset;
        uint32_t narrow;
        uint64_t wide;

        if (setting->size == CONFIG_TEXT_MAX) {
                memcpy(text, place, CONFIG_TEXT_MAX);
                return text;
        }
        if (setting->size == sizeof(narrow)) {
                memcpy(&narrow, place, sizeof(narrow));
                return setting->type->format(narrow, text);
        }
        memcpy(&wide, place, sizeof(wide));
        return setting->type->format(wide, text);
}
