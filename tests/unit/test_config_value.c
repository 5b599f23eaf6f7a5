/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/value.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "config/settings.h"

enum { UNTOUCHED = 4711 };

static void gives(const struct value_type *type, const char *text, uint64_t expected)
{
        uint64_t value = UNTOUCHED;

        assert(type->parse(text, &value) >= 0);
        assert(value == expected);
}

static void fails(const struct value_type *type, const char *text, int error)
{
        uint64_t value = UNTOUCHED;

        assert(type->parse(text, &value) == error);
}

static void test_workers_are_auto_a_number_or_a_range(void)
{
        uint64_t value = UNTOUCHED;

        assert(value_type_workers.parse("2-256", &value) == 1);
        assert(workers_min((uint32_t)value) == 2 && workers_max((uint32_t)value) == WORKERS_MAX);
        assert(value_type_workers.parse("3-3", &value) == 1 && value == 3);
        fails(&value_type_workers, "0-4", -ERANGE);
        fails(&value_type_workers, "1-257", -ERANGE);
        fails(&value_type_workers, "4-3", -EINVAL);
        fails(&value_type_workers, "-3", -EINVAL);
        fails(&value_type_workers, "3-", -EINVAL);
        fails(&value_type_workers, "1 - 3", -EINVAL);
        fails(&value_type_workers, "1-2-3", -EINVAL);
        fails(&value_type_workers, "00000000000000000000000000000000000000001-3", -EINVAL);

        assert(value_type_workers.parse("auto", &value) == 1 && value == 0);
        assert(value_type_workers.parse("4", &value) == 0 && value == 4);
        fails(&value_type_workers, "Auto", -EINVAL);
        fails(&value_type_workers, "18446744073709551616", -ERANGE);
}

static void test_duration_without_unit_is_told_apart(void)
{
        gives(&value_type_duration, "0", 0);
        gives(&value_type_duration, "500ms", 500 * USEC_PER_MSEC);
        fails(&value_type_duration, "15", -EDOM);
        fails(&value_type_duration, "18446744073709551616", -EDOM);
        fails(&value_type_duration, "15x", -EINVAL);
        fails(&value_type_duration, "", -EINVAL);
}

static void test_seconds_are_whole(void)
{
        gives(&value_type_seconds, "15s", 15 * USEC_PER_SEC);
        gives(&value_type_seconds, "2000ms", 2 * USEC_PER_SEC);
        fails(&value_type_seconds, "1500ms", -EINVAL);
        fails(&value_type_seconds, "15", -EDOM);
}

static void test_level_is_a_syslog_name(void)
{
        gives(&value_type_level, "emerg", LOG_EMERG);
        gives(&value_type_level, "warning", LOG_WARNING);
        gives(&value_type_level, "debug", LOG_DEBUG);
        fails(&value_type_level, "warn", -EINVAL);
        fails(&value_type_level, "6", -EINVAL);
        fails(&value_type_level, "", -EINVAL);
}

static void test_overflow_is_drop_or_a_time_to_block(void)
{
        gives(&value_type_overflow, "drop", 0);
        gives(&value_type_overflow, "block:0", 0);
        gives(&value_type_overflow, "block:1s", USEC_PER_SEC);
        fails(&value_type_overflow, "block", -EINVAL);
        fails(&value_type_overflow, "block:", -EINVAL);
        fails(&value_type_overflow, "block:5", -EDOM);
        fails(&value_type_overflow, "block: 1s", -EINVAL);
        fails(&value_type_overflow, "1s", -EINVAL);
}

static void test_extra_fields_are_a_set(void)
{
        gives(&value_type_extra_fields, "", 0);
        gives(&value_type_extra_fields, " ,\t", 0);
        gives(&value_type_extra_fields, "referer", EXTRA_FIELD_REFERER);
        gives(&value_type_extra_fields, "trace_id, user_agent http_host,trace_id",
              EXTRA_FIELD_TRACE_ID | EXTRA_FIELD_USER_AGENT | EXTRA_FIELD_HTTP_HOST);
        fails(&value_type_extra_fields, "user_agents", -EINVAL);
        fails(&value_type_extra_fields, "user", -EINVAL);
        fails(&value_type_extra_fields, "referer;", -EINVAL);
}

static void test_access_is_a_word_or_a_sample(void)
{
        uint64_t value;

        assert(value_type_access.parse("all", &value) == 1 && value == ACCESS_ALL);
        assert(value_type_access.parse("errors", &value) == 1 && value == ACCESS_ERRORS);
        assert(value_type_access.parse("off", &value) == 1 && value == ACCESS_OFF);
        gives(&value_type_access, "sample:100", 100);
        fails(&value_type_access, "sample", -EINVAL);
        fails(&value_type_access, "sample:", -EINVAL);
        fails(&value_type_access, "sample:1k", -EINVAL);
        fails(&value_type_access, "100", -EINVAL);
        fails(&value_type_access, "", -EINVAL);
        assert(setting_check(&settings[SETTING_log_access], "sample:1", &value) == -ERANGE);
        assert(setting_check(&settings[SETTING_log_access], "sample:1000001", &value) == -ERANGE);
}

static void test_name_is_a_part_of_a_path_at_most(void)
{
        uint64_t value;

        assert(value_type_name.parse("", &value) == 0);
        assert(value_type_name.parse("web-1_a.b", &value) == 0);
        assert(value_type_name.parse("123456789012345678901234567890123456789012345678901234567890"
                                     "123",
                                     &value) == 0);
        fails(&value_type_name, "1234567890123456789012345678901234567890123456789012345678901234",
              -EINVAL);
        fails(&value_type_name, "a/b", -EINVAL);
        fails(&value_type_name, "..", -EINVAL);
        fails(&value_type_name, ".a", -EINVAL);
        fails(&value_type_name, "a b", -EINVAL);
}

static void formats(const struct value_type *type, uint64_t value, const char *expected)
{
        char text[VALUE_TEXT_MAX];

        assert(strcmp(type->format(value, text), expected) == 0);
        gives(type, text, value);
}

static void test_format_gives_what_parse_reads_back(void)
{
        formats(&value_type_count, 1000, "1000");
        formats(&value_type_workers, 0, "auto");
        formats(&value_type_workers, 12, "12");
        formats(&value_type_workers, workers_range(1, 12), "1-12");
        formats(&value_type_size, 10 << 20, "10m");
        formats(&value_type_duration, 1500 * USEC_PER_MSEC, "1500ms");
        formats(&value_type_seconds, 15 * USEC_PER_SEC, "15s");
        formats(&value_type_overflow, 0, "drop");
        formats(&value_type_overflow, USEC_PER_SEC, "block:1s");
        formats(&value_type_access, 100, "sample:100");
        formats(&value_type_extra_fields, 0, "");
        formats(&value_type_extra_fields, 15, "user_agent,referer,http_host,trace_id");
        for (uint64_t level = 0; level <= 7; level++) {
                char text[VALUE_TEXT_MAX];

                gives(&value_type_level, value_type_level.format(level, text), level);
        }
}

static void test_every_row_has_a_default_and_limits_that_are_valid(void)
{
        struct config config = {0};

        for (size_t i = 0; i < N_SETTINGS; i++) {
                const struct setting *setting = &settings[i];
                char text[VALUE_TEXT_MAX];
                uint64_t value = 0;

                assert(setting_check(setting, setting->value, &value) == 0);
                setting_set(setting, &config, setting->value, value);
                assert(strcmp(setting_format(setting, &config, text), setting->value) == 0);
                if (setting->type->parse_limit) {
                        uint64_t min = 0, max = 0;

                        assert(setting->type->parse_limit(setting->min, &min) == 0);
                        assert(setting->type->parse_limit(setting->max, &max) == 0);
                        assert(min < max && (setting->size == 8 || max <= UINT32_MAX));
                } else {
                        assert(*setting->min == '\0' && *setting->max == '\0');
                }
                assert(settings_find(setting->section, setting->key) == (int)i);
        }
        assert(settings_find("server", "keepalive") == -ENOENT);
}

static void test_check_refuses_beyond_the_limits_and_takes_them(void)
{
        const struct setting *threads = &settings[SETTING_server_threads];
        const struct setting *workers = &settings[SETTING_server_workers];
        const struct setting *overflow = &settings[SETTING_log_overflow];
        uint64_t value = UNTOUCHED;

        assert(setting_check(threads, "0", &value) == -ERANGE);
        assert(setting_check(threads, "257", &value) == -ERANGE);
        assert(setting_check(workers, "0", &value) == -ERANGE);
        assert(setting_check(workers, "1-257", &value) == -ERANGE);
        assert(setting_check(workers, "257", &value) == -ERANGE);
        assert(setting_check(overflow, "block:61min", &value) == -ERANGE);
        assert(value == UNTOUCHED);
        assert(setting_check(threads, "1", &value) == 0 && value == 1);
        assert(setting_check(threads, "256", &value) == 0 && value == 256);
        assert(setting_check(workers, "auto", &value) == 0 && value == 0);
        assert(setting_check(workers, "256", &value) == 0 && value == WORKERS_MAX);
        assert(setting_check(workers, "255-256", &value) == 0);
        assert(setting_check(overflow, "drop", &value) == 0 && value == 0);
}

static void test_set_stores_only_its_own_setting(void)
{
        struct config config = {0};

        setting_set(&settings[SETTING_server_threads], &config, "7", 7);
        setting_set(&settings[SETTING_http_limit_request_body], &config, "4g", UINT64_C(1) << 32);
        setting_set(&settings[SETTING_log_overflow], &config, "block:9us", 9);
        setting_set(&settings[SETTING_log_access_namespace], &config, "web", 3);
        assert(config.server_threads == 7 && config.server_workers == 0);
        assert(config.http_limit_request_body == UINT64_C(1) << 32);
        assert(config.log_overflow.block_usec == 9 && config.log_access_fields == 0);
        assert(strcmp(config.log_access_namespace, "web") == 0 && config.log_access == 0);
}

int main(void)
{
        test_workers_are_auto_a_number_or_a_range();
        test_duration_without_unit_is_told_apart();
        test_seconds_are_whole();
        test_level_is_a_syslog_name();
        test_overflow_is_drop_or_a_time_to_block();
        test_extra_fields_are_a_set();
        test_access_is_a_word_or_a_sample();
        test_name_is_a_part_of_a_path_at_most();
        test_format_gives_what_parse_reads_back();
        test_every_row_has_a_default_and_limits_that_are_valid();
        test_check_refuses_beyond_the_limits_and_takes_them();
        test_set_stores_only_its_own_setting();
        return 0;
}
