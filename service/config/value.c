/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One pair of functions a type, and the table row that joins them. Any thread. */
#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/address_set.h"
#include "base/clock.h"
#include "base/number.h"
#include "config/config.h"

/* Of a name, with its NUL. */
#define NAME_MAX_SIZE 64

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

static const struct {
        const char *word;
        uint64_t value;
} access_words[] = {{"all", ACCESS_ALL}, {"errors", ACCESS_ERRORS}, {"off", ACCESS_OFF}};

static const char *const proxy_protocol_names[] = {
        [PROXY_PROTOCOL_OFF] = "off",
        [PROXY_PROTOCOL_V1V2] = "v1v2",
};

static const char *const choice_names[] = {"no", "yes"};

static const char *const tls_clients_names[] = {
        [TLS_CLIENTS_NONE] = "none",
        [TLS_CLIENTS_OPTIONAL] = "optional",
        [TLS_CLIENTS_REQUIRED] = "required",
};

/* In the order of their bits. */
static const char *const extra_field_names[] = {"user_agent", "referer", "http_host", "trace_id"};

_Static_assert(EXTRA_FIELD_USER_AGENT == 1 << 0 && EXTRA_FIELD_REFERER == 1 << 1 &&
                       EXTRA_FIELD_HTTP_HOST == 1 << 2 && EXTRA_FIELD_TRACE_ID == 1 << 3,
               "extra_field_names is in the order of the bits");

/* The index of the name that @text's first @length bytes are, or -EINVAL. */
static int find_name(const char *text, size_t length, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(names[i]) == length && memcmp(names[i], text, length) == 0)
                        return (int)i;
        return -EINVAL;
}

static char *format_number(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "%" PRIu64, value);
        return text;
}

/* Return: as value_type.parse; both ends are within the limits of a single number. */
static int parse_range(const char *text, size_t length, uint64_t *ret)
{
        char least[NUMBER_TEXT_MAX];
        uint64_t min = 0, max = 0;
        int r;

        if (length >= sizeof(least))
                return -EINVAL;
        memcpy(least, text, length);
        least[length] = '\0';
        r = parse_number(least, &min);
        if (r == 0)
                r = parse_number(text + length + 1, &max);
        if (r < 0)
                return r;
        if (min == 0 || max > WORKERS_MAX)
                return -ERANGE;
        if (min > max)
                return -EINVAL;
        *ret = min < max ? workers_range((uint32_t)min, (uint32_t)max) : min;
        return 1;
}

static int parse_workers(const char *text, uint64_t *ret)
{
        size_t least = strcspn(text, "-");
        uint64_t value;
        int r;

        if (strcmp(text, "auto") == 0) {
                *ret = 0;
                return 1;
        }
        if (least > 0 && text[least] == '-')
                return parse_range(text, least, ret);
        r = parse_number(text, &value);
        if (r == 0)
                *ret = value;
        return r;
}

static char *format_workers(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        const uint32_t workers = (uint32_t)value;

        if (workers_max(workers) == 0)
                return value == 0 ? memcpy(text, "auto", sizeof("auto"))
                                  : format_number(value, text);
        (void)snprintf(text, VALUE_TEXT_MAX, "%" PRIu32 "-%" PRIu32, workers_min(workers),
                       workers_max(workers));
        return text;
}

static int parse_with_unit(const char *text, uint64_t *ret)
{
        int r = parse_duration(text, ret);

        if (r == -EINVAL && parse_number(text, &(uint64_t){0}) != -EINVAL)
                return -EDOM;
        return r;
}

static int parse_seconds(const char *text, uint64_t *ret)
{
        uint64_t value;
        int r = parse_with_unit(text, &value);

        if (r < 0)
                return r;
        if (value % USEC_PER_SEC != 0)
                return -EINVAL;
        *ret = value;
        return 0;
}

static int parse_level(const char *text, uint64_t *ret)
{
        int level = find_name(text, strlen(text), level_names, LENGTH(level_names));

        if (level < 0)
                return level;
        *ret = (uint64_t)level;
        return 0;
}

static char *format_level(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", level_names[value]);
        return text;
}

static int parse_overflow(const char *text, uint64_t *ret)
{
        static const char block[] = "block:";

        if (strcmp(text, "drop") == 0) {
                *ret = 0;
                return 1;
        }
        if (strncmp(text, block, strlen(block)) != 0)
                return -EINVAL;
        return parse_with_unit(text + strlen(block), ret);
}

static char *format_overflow(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        char duration[NUMBER_TEXT_MAX];

        (void)snprintf(text, VALUE_TEXT_MAX, "%s%s", value == 0 ? "drop" : "block:",
                       value == 0 ? "" : format_duration(value, duration));
        return text;
}

static int parse_access(const char *text, uint64_t *ret)
{
        static const char sample[] = "sample:";

        for (size_t i = 0; i < LENGTH(access_words); i++)
                if (strcmp(text, access_words[i].word) == 0) {
                        *ret = access_words[i].value;
                        return 1;
                }
        if (strncmp(text, sample, strlen(sample)) != 0)
                return -EINVAL;
        return parse_number(text + strlen(sample), ret);
}

static char *format_access(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "sample:%" PRIu64, value);
        for (size_t i = 0; i < LENGTH(access_words); i++)
                if (access_words[i].value == value)
                        (void)snprintf(text, VALUE_TEXT_MAX, "%s", access_words[i].word);
        return text;
}

static int parse_choice(const char *text, uint64_t *ret)
{
        int choice = find_name(text, strlen(text), choice_names, LENGTH(choice_names));

        if (choice < 0)
                return choice;
        *ret = (uint64_t)choice;
        return 0;
}

static char *format_choice(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", choice_names[value]);
        return text;
}

/* The text itself is the value, as it is of the next types. */
static int parse_name(const char *text, uint64_t *ret)
{
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
        size_t size = strlen(text);

        if (size >= NAME_MAX_SIZE || text[0] == '.' || strspn(text, allowed) != size)
                return -EINVAL;
        *ret = size;
        return 0;
}

static int parse_peers(const char *text, uint64_t *ret)
{
        struct address_set set;
        size_t size = strlen(text);

        if (size >= CONFIG_TEXT_MAX || address_set_parse(text, &set) < 0)
                return -EINVAL;
        *ret = size;
        return 0;
}

static int parse_text(const char *text, uint64_t *ret)
{
        size_t size = strlen(text);

        if (size >= CONFIG_TEXT_MAX)
                return -EINVAL;
        *ret = size;
        return 0;
}

static int parse_proxy_protocol(const char *text, uint64_t *ret)
{
        int protocol =
                find_name(text, strlen(text), proxy_protocol_names, LENGTH(proxy_protocol_names));

        if (protocol < 0)
                return protocol;
        *ret = (uint64_t)protocol;
        return 0;
}

static char *format_proxy_protocol(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", proxy_protocol_names[value]);
        return text;
}

static int parse_tls_clients(const char *text, uint64_t *ret)
{
        int clients = find_name(text, strlen(text), tls_clients_names, LENGTH(tls_clients_names));

        if (clients < 0)
                return clients;
        *ret = (uint64_t)clients;
        return 0;
}

static char *format_tls_clients(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", tls_clients_names[value]);
        return text;
}

static int parse_extra_fields(const char *text, uint64_t *ret)
{
        static const char separators[] = ", \t";
        uint64_t fields = 0;

        for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
                size_t length = strcspn(text, separators);
                int bit = find_name(text, length, extra_field_names, LENGTH(extra_field_names));

                if (bit < 0)
                        return bit;
                fields |= UINT64_C(1) << bit;
                text += length;
        }
        *ret = fields;
        return 0;
}

static char *format_extra_fields(uint64_t value, char text[static VALUE_TEXT_MAX])
{
        size_t length = 0;

        text[0] = '\0';
        for (size_t i = 0; i < LENGTH(extra_field_names); i++)
                if (value & UINT64_C(1) << i)
                        length += (size_t)snprintf(text + length, VALUE_TEXT_MAX - length, "%s%s",
                                                   length > 0 ? "," : "", extra_field_names[i]);
        return text;
}

#define TYPE(name, from_text, limit_from_text, to_text, expected_text, allowed_text)               \
        const struct value_type value_type_##name = {                                              \
                .expected = (expected_text),                                                       \
                .allowed = (allowed_text),                                                         \
                .parse = (from_text),                                                              \
                .parse_limit = (limit_from_text),                                                  \
                .format = (to_text),                                                               \
        };
#include "config/config.def"
