/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/number.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { UNTOUCHED = 4711 };

typedef int parser(const char *text, uint64_t *ret);

static void gives(parser *parse, const char *text, uint64_t expected)
{
        uint64_t value = UNTOUCHED;

        assert(parse(text, &value) == 0);
        assert(value == expected);
}

static void fails(parser *parse, const char *text, int error)
{
        uint64_t value = UNTOUCHED;

        assert(parse(text, &value) == error);
        assert(value == UNTOUCHED);
}

static void test_number_takes_digits_and_nothing_else(void)
{
        gives(parse_number, "0", 0);
        gives(parse_number, "007", 7);
        gives(parse_number, "18446744073709551615", UINT64_MAX);
        fails(parse_number, "", -EINVAL);
        fails(parse_number, " 1", -EINVAL);
        fails(parse_number, "1 ", -EINVAL);
        fails(parse_number, "+1", -EINVAL);
        fails(parse_number, "-1", -EINVAL);
        fails(parse_number, "1.5", -EINVAL);
        fails(parse_number, "0x10", -EINVAL);
        fails(parse_number, "1k", -EINVAL);
}

static void test_number_above_64_bits_is_out_of_range_never_wrapped(void)
{
        fails(parse_number, "18446744073709551616", -ERANGE);
        fails(parse_number, "99999999999999999999999999999999", -ERANGE);
        fails(parse_number, "99999999999999999999999999999999x", -EINVAL);
}

static void test_size_takes_units_of_1024_in_either_case(void)
{
        gives(parse_size, "0", 0);
        gives(parse_size, "8190", 8190);
        gives(parse_size, "64k", 65536);
        gives(parse_size, "10M", 10 << 20);
        gives(parse_size, "4g", UINT64_C(4) << 30);
        fails(parse_size, "k", -EINVAL);
        fails(parse_size, "1kb", -EINVAL);
        fails(parse_size, "1 k", -EINVAL);
        fails(parse_size, "99999999999g", -ERANGE);
        fails(parse_size, "17179869184g", -ERANGE);
        gives(parse_size, "17179869183g", UINT64_MAX - ((UINT64_C(1) << 30) - 1));
}

static void test_duration_needs_a_unit_but_for_zero(void)
{
        gives(parse_duration, "0", 0);
        gives(parse_duration, "0s", 0);
        gives(parse_duration, "250us", 250);
        gives(parse_duration, "500ms", 500000);
        gives(parse_duration, "10s", 10000000);
        gives(parse_duration, "2min", 120000000);
        gives(parse_duration, "1h", UINT64_C(3600000000));
        fails(parse_duration, "10", -EINVAL);
        fails(parse_duration, "00", -EINVAL);
        fails(parse_duration, "", -EINVAL);
        fails(parse_duration, "1m", -EINVAL);
        fails(parse_duration, "1min30s", -EINVAL);
        fails(parse_duration, "18446744073709551615s", -ERANGE);
        fails(parse_duration, "18446744073709551616us", -ERANGE);
}

static void test_boolean_takes_four_pairs_of_words(void)
{
        static const char *const words[2][4] = {{"no", "false", "OFF", "0"},
                                                {"Yes", "true", "on", "1"}};
        bool value = true;

        for (int truth = 0; truth <= 1; truth++)
                for (int i = 0; i < 4; i++) {
                        value = !truth;
                        assert(parse_boolean(words[truth][i], &value) == 0);
                        assert(value == truth);
                }
        assert(parse_boolean("", &value) == -EINVAL);
        assert(parse_boolean("y", &value) == -EINVAL);
        assert(value);
}

static void test_format_is_the_shortest_that_reads_back(void)
{
        static const struct {
                uint64_t value;
                const char *size;
                const char *duration;
        } cases[] = {
                {0, "0", "0"},
                {1, "1", "1us"},
                {8190, "8190", "8190us"},
                {10 << 20, "10m", "10485760us"},
                {1500000, "1500000", "1500ms"},
                {30000000, "30000000", "30s"},
                {60000000, "60000000", "60s"},
                {120000000, "120000000", "2min"},
                {UINT64_C(3600000000), "3515625k", "1h"},
                {UINT64_MAX, "18446744073709551615", "18446744073709551615us"},
        };
        char text[NUMBER_TEXT_MAX];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert(strcmp(format_size(cases[i].value, text), cases[i].size) == 0);
                gives(parse_size, text, cases[i].value);
                assert(strcmp(format_duration(cases[i].value, text), cases[i].duration) == 0);
                gives(parse_duration, text, cases[i].value);
        }
}

int main(void)
{
        test_number_takes_digits_and_nothing_else();
        test_number_above_64_bits_is_out_of_range_never_wrapped();
        test_size_takes_units_of_1024_in_either_case();
        test_duration_needs_a_unit_but_for_zero();
        test_boolean_takes_four_pairs_of_words();
        test_format_is_the_shortest_that_reads_back();
        return 0;
}
