/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of settings: how a value is written, both ways. Any thread.
 *
 * A value of any type is one number here; struct config holds it as the type that fits it. A text
 * is checked here and held as it is.
 */
#pragma once

#include <stdint.h>

/* Enough for every value's text, with the NUL. */
#define VALUE_TEXT_MAX 1024

struct value_type {
        const char *expected; /* completes "expected ..." */
        const char *allowed;  /* all that may be given; the limits, if any, are put behind it */

        /*
         * Text to value. Return: 0; 1 when it is a word that no limits apply to (auto, drop);
         * -EINVAL when it is not of this type, -EDOM when the unit of a duration is missing,
         * -ERANGE when it is too large for any value.
         */
        int (*parse)(const char *text, uint64_t *ret);

        /* A limit's text to value, as parse; NULL for a type without limits. */
        int (*parse_limit)(const char *text, uint64_t *ret);

        /* The shortest text that parse reads back; NULL for a text. Return: @text. */
        char *(*format)(uint64_t value, char text[static VALUE_TEXT_MAX]);
};

#define TYPE(name, parse, parse_limit, format, expected, allowed)                                  \
        extern const struct value_type value_type_##name;
#include "config/config.def"
