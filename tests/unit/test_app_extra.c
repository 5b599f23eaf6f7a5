/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "app/extra.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void expect_value(const char *value, size_t size, const char *json)
{
        struct extra extra = {0};
        char wanted[128];

        assert(extra_add(&extra, "A", value, size) == 0);
        assert(extra_finish(&extra) == 0);
        (void)snprintf(wanted, sizeof(wanted), "{\"A\":\"%s\"}", json);
        assert(extra.size == strlen(wanted) && strcmp(extra.text, wanted) == 0);
        extra_free(&extra);
}

static void test_object_holds_every_member_in_order(void)
{
        struct extra extra = {0};

        assert(extra_add(&extra, "A", "1", 1) == 0);
        assert(extra_add(&extra, "B_2", "", 0) == 0);
        assert(extra_finish(&extra) == 0);
        assert(strcmp(extra.text, "{\"A\":\"1\",\"B_2\":\"\"}") == 0);
        extra_free(&extra);
}

static void test_object_of_nothing_is_none(void)
{
        struct extra extra = {0};

        assert(extra_finish(&extra) == 0 && !extra.text);
        extra_free(&extra);
}

static void test_object_that_is_not_finished_can_be_freed(void)
{
        struct extra extra = {0};

        assert(extra_add(&extra, "A", "1", 1) == 0);
        extra_free(&extra);
}

static void test_value_is_escaped_as_json_demands(void)
{
        expect_value("a\"b\\c/", 6, "a\\\"b\\\\c/");
        expect_value("\n\t\0\x7f", 4, "\\u000a\\u0009\\u0000\\u007f");
}

static void test_value_keeps_utf8_and_escapes_other_bytes_one_by_one(void)
{
        expect_value("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
        expect_value("\xff", 1, "\\u00ff");
        expect_value("\xc3", 1, "\\u00c3");
        expect_value("\xc3(", 2, "\\u00c3(");
        expect_value("\xe2\x82", 2, "\\u00e2\\u0082");
        expect_value("\xc0\xaf", 2, "\\u00c0\\u00af");                       /* overlong */
        expect_value("\xe0\x80\x80", 3, "\\u00e0\\u0080\\u0080");            /* overlong */
        expect_value("\xed\xa0\x80", 3, "\\u00ed\\u00a0\\u0080");            /* surrogate */
        expect_value("\xf4\x90\x80\x80", 4, "\\u00f4\\u0090\\u0080\\u0080"); /* too high */
        expect_value("\xf0\x80\x80\x80", 4, "\\u00f0\\u0080\\u0080\\u0080");
}

static void test_names_are_taken_until_there_is_no_room(void)
{
        struct field_names names = {0};
        char name[8];

        for (int i = 0; i < FIELD_NAMES_MAX; i++) {
                (void)snprintf(name, sizeof(name), "N%d", i);
                assert(field_names_take(&names, name));
        }
        assert(!field_names_take(&names, "ONE_MORE"));
        assert(field_names_take(&names, "N0"));
        assert(field_names_take(&names, "N31"));
        assert(!field_names_take(&names, "ONE_MORE"));
}

int main(void)
{
        test_object_holds_every_member_in_order();
        test_object_of_nothing_is_none();
        test_object_that_is_not_finished_can_be_freed();
        test_value_is_escaped_as_json_demands();
        test_value_keeps_utf8_and_escapes_other_bytes_one_by_one();
        test_names_are_taken_until_there_is_no_room();
        return 0;
}
