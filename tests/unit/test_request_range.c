/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/range.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

static void check(const char *value, uint64_t size, uint64_t first, uint64_t length)
{
        struct byte_range range;

        assert(range_parse(value, size, &range) == 0);
        assert(range.first == first && range.size == length);
}

static int failure(const char *value, uint64_t size)
{
        struct byte_range range = {.first = 7, .size = 7};
        int r = range_parse(value, size, &range);

        assert(r < 0 && range.first == 7 && range.size == 7);
        return r;
}

static void test_forms_of_a_range(void)
{
        check("bytes=0-0", 10, 0, 1);
        check("bytes=2-4", 10, 2, 3);
        check("bytes=9-9", 10, 9, 1);
        check("bytes=3-", 10, 3, 7);
        check("bytes=-3", 10, 7, 3);
        check("Bytes=00-01", 10, 0, 2);
        check("bytes=0-1 \t ", 10, 0, 2);
        check("bytes=3- ", 10, 3, 7);
        check("bytes=-3\t", 10, 7, 3);
        check("bytes=0-18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
        check("bytes=18446744073709551614-", UINT64_MAX, UINT64_MAX - 1, 1);
}

static void test_what_is_behind_the_end_is_cut(void)
{
        check("bytes=5-99", 10, 5, 5);
        check("bytes=5-99999999999999999999999999999", 10, 5, 5);
        check("bytes=-10", 10, 0, 10);
        check("bytes=-11", 10, 0, 10);
        check("bytes=-99999999999999999999999999999", 10, 0, 10);
}

static void test_range_of_which_nothing_is_there(void)
{
        assert(failure("bytes=10-", 10) == -ERANGE);
        assert(failure("bytes=10-11", 10) == -ERANGE);
        assert(failure("bytes=99999999999999999999999999999-", 10) == -ERANGE);
        assert(failure("bytes=-0", 10) == -ERANGE);
        assert(failure("bytes=-000", 10) == -ERANGE);
        assert(failure("bytes=0-", 0) == -ERANGE);
        assert(failure("bytes=0-0", 0) == -ERANGE);
        assert(failure("bytes=-0", 0) == -ERANGE);
        assert(failure("bytes=-5", 0) == -EINVAL); /* satisfiable, but it cannot be told */
}

static void test_what_is_no_single_range_is_ignored(void)
{
        static const char *const values[] = {
                "",
                "b",
                "bytes",
                "bytes=",
                "bytes=-",
                "bytes=--1",
                "bytes=a-b",
                "bytes=1",
                "bytes=1-2-3",
                "bytes=4-2",
                "bytes=1-b",
                "bytes=-b",
                "bytes= 0-1",
                "bytes=0 -1",
                "bytes=0- 1",
                "bytes=0-1 2",
                "bytes=+0-1",
                "bytes =0-1",
                "byte=0-1",
                "lines=0-1",
                "bytes:0-1",
                "bytes=0-1,2",
                "bytes=-1,2",
                "bytes=0-1,2-3",
                "bytes=0x0-",
                " bytes=0-1",
        };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                assert(failure(values[i], 10) == -EINVAL);
}

int main(void)
{
        test_forms_of_a_range();
        test_what_is_behind_the_end_is_cut();
        test_range_of_which_nothing_is_there();
        test_what_is_no_single_range_is_ignored();
        return 0;
}
