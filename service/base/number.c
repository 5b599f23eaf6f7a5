/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digits and one optional unit; the only place that turns text into a number. Any thread. */
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

struct unit {
        const char *name;
        uint64_t factor;
};

/* Largest first: format_with() prefers the larger unit among spellings of one length. */
static const struct unit size_units[] = {
        {"g", UINT64_C(1) << 30}, {"m", UINT64_C(1) << 20}, {"k", UINT64_C(1) << 10}, {"", 1}};

static const struct unit duration_units[] = {{"h", 3600 * USEC_PER_SEC},
                                             {"min", 60 * USEC_PER_SEC},
                                             {"s", USEC_PER_SEC},
                                             {"ms", USEC_PER_MSEC},
                                             {"us", 1}};

#define N_UNITS(units) (sizeof(units) / sizeof((units)[0]))

/* The digits that @text begins with, at least one; @rest gets what follows them. */
static int parse_digits(const char *text, uint64_t *ret, const char **rest)
{
        const char *at = text;
        uint64_t value = 0;
        bool fits = true;

        for (; *at >= '0' && *at <= '9'; at++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
                        fits = false;
        *rest = at;
        if (at == text)
                return -EINVAL;
        if (!fits)
                return -ERANGE;
        *ret = value;
        return 0;
}

static const struct unit *find_unit(const char *name, const struct unit *units, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(name, units[i].name) == 0)
                        return &units[i];
        return NULL;
}

/* What is no number is said to be none even when its digits are too many: "999...9x" is -EINVAL. */
static int parse_with(const char *text, const struct unit *units, size_t n, uint64_t *ret)
{
        const struct unit *unit;
        const char *rest;
        uint64_t value = 0;
        int r = parse_digits(text, &value, &rest);

        if (r == -EINVAL)
                return r;
        unit = find_unit(rest, units, n);
        if (!unit)
                return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(value, unit->factor, &value))
                return -ERANGE;
        *ret = value;
        return 0;
}

static char *format_with(uint64_t value, const struct unit *units, size_t n,
                         char text[static NUMBER_TEXT_MAX])
{
        int shortest = NUMBER_TEXT_MAX;

        for (size_t i = 0; i < n; i++) {
                char spelling[NUMBER_TEXT_MAX];
                int length;

                if (value % units[i].factor != 0)
                        continue;
                length = snprintf(spelling, sizeof(spelling), "%" PRIu64 "%s",
                                  value / units[i].factor, units[i].name);
                if (length >= shortest)
                        continue;
                shortest = length;
                memcpy(text, spelling, (size_t)length + 1);
        }
        return text;
}

int parse_number(const char *text, uint64_t *ret)
{
        static const struct unit none = {"", 1};

        return parse_with(text, &none, 1, ret);
}

int parse_size(const char *text, uint64_t *ret)
{
        return parse_with(text, size_units, N_UNITS(size_units), ret);
}

int parse_duration(const char *text, uint64_t *ret)
{
        if (strcmp(text, "0") == 0) {
                *ret = 0;
                return 0;
        }
        return parse_with(text, duration_units, N_UNITS(duration_units), ret);
}

int parse_boolean(const char *text, bool *ret)
{
        static const char *const words[][2] = {
                {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                for (int truth = 0; truth <= 1; truth++)
                        if (strcasecmp(text, words[i][truth]) == 0) {
                                *ret = truth;
                                return 0;
                        }
        return -EINVAL;
}

char *format_size(uint64_t bytes, char text[static NUMBER_TEXT_MAX])
{
        if (bytes == 0)
                return memcpy(text, "0", sizeof("0"));
        return format_with(bytes, size_units, N_UNITS(size_units), text);
}

char *format_duration(uint64_t usec, char text[static NUMBER_TEXT_MAX])
{
        if (usec == 0)
                return memcpy(text, "0", sizeof("0"));
        return format_with(usec, duration_units, N_UNITS(duration_units), text);
}
