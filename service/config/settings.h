/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of config.def as data: type, limits and place in struct config. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/value.h"

enum {
#define SECTION(section, doc) SECTION_##section,
#include "config/config.def"
        N_SECTIONS
};

enum {
#define SETTING(section, key, type, value, min, max, doc) SETTING_##section##_##key,
#include "config/config.def"
        N_SETTINGS
};

struct section {
        const char *name;
        const char *doc;
};

struct setting {
        const char *section;
        const char *key;
        const char *doc;
        const struct value_type *type;
        const char *value; /* the default */
        const char *min;   /* "" without limits */
        const char *max;
        size_t offset; /* in struct config */
        size_t size;   /* there: 4, 8, or CONFIG_TEXT_MAX of a text */
};

/* Both in the order of config.def. */
extern const struct section sections[N_SECTIONS];
extern const struct setting settings[N_SETTINGS];

/** settings_find() - the index of a setting, or -ENOENT. */
int settings_find(const char *section, const char *key);

/** setting_check() - text to value, within the limits. Return: 0, or as value_type.parse fails. */
int setting_check(const struct setting *setting, const char *text, uint64_t *ret);

/** setting_set() - store a number that setting_check() gave for @text; a text is stored itself. */
void setting_set(const struct setting *setting, struct config *config, const char *text,
                 uint64_t value);

/** setting_format() - the stored value as a person writes it. Return: @text. */
char *setting_format(const struct setting *setting, const struct config *config,
                     char text[static VALUE_TEXT_MAX]);
