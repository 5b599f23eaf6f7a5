/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/coding.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static struct header line(const char *value)
{
        return (struct header){.name = "Accept-Encoding",
                               .value = value,
                               .name_size = strlen("Accept-Encoding"),
                               .value_size = strlen(value)};
}

static unsigned quality(const char *value, const char *coding)
{
        struct header headers[] = {line(value)};
        struct request request = {.headers = headers, .n_headers = 1};

        return coding_quality(&request, coding);
}

static void test_named_codings(void)
{
        assert(quality("gzip", "gzip") == 1000);
        assert(quality("GZip", "gzip") == 1000);
        assert(quality("x-gzip", "gzip") == 1000);
        assert(quality("x-gzip", "x-br") == 0);
        assert(quality("deflate, gzip;q=0.5, br", "gzip") == 500);
        assert(quality("deflate, gzip;q=0.5, br", "br") == 1000);
        assert(quality(" ,, gzip ,", "gzip") == 1000);
        assert(quality("gzipped, ungzip", "gzip") == 0);
        assert(quality("", "gzip") == 0);
        assert(quality("identity", "gzip") == 0);
}

static void test_weights(void)
{
        assert(quality("gzip;q=1", "gzip") == 1000);
        assert(quality("gzip;q=1.000", "gzip") == 1000);
        assert(quality("gzip;q=1.", "gzip") == 1000);
        assert(quality("gzip ; Q=0.25\t, br", "gzip") == 250);
        assert(quality("gzip;\tq=0.001", "gzip") == 1);
        assert(quality("gzip;q=0", "gzip") == 0);
        assert(quality("gzip;q=0.000", "gzip") == 0);
}

static void test_malformed_weight_is_none(void)
{
        static const char *const values[] = {
                "gzip;q=2",    "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=",
                "gzip;q",      "gzip;",        "gzip;q=-1",     "gzip;q=.5",
                "gzip;q=0,5",  "gzip;q=01",    "gzip;q=0.a",    "gzip;x=1",
                "gzip;q =0.5", "gzip;q= 0.5",  "gzip br",       "gzip;q=1;x",
        };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                assert(quality(values[i], "gzip") == 0);
}

static void test_star_is_for_what_is_not_named(void)
{
        assert(quality("*", "br") == 1000);
        assert(quality("*;q=0.3", "br") == 300);
        assert(quality("*;q=0", "br") == 0);
        assert(quality("br;q=0, *", "br") == 0);
        assert(quality("*, br;q=0", "br") == 0);
        assert(quality("*;q=0, br", "br") == 1000);
        assert(quality("**", "br") == 0);
}

static void test_lines_of_a_field_are_one_list(void)
{
        struct header headers[] = {line("*;q=0.5"), line("gzip;q=0.7")};
        struct request request = {.headers = headers, .n_headers = 2};

        assert(coding_quality(&request, "gzip") == 700);
        assert(coding_quality(&request, "br") == 500);
        request.n_headers = 0;
        assert(coding_quality(&request, "gzip") == 0);
}

int main(void)
{
        test_named_codings();
        test_weights();
        test_malformed_weight_is_none();
        test_star_is_for_what_is_not_named();
        test_lines_of_a_field_are_one_list();
        return 0;
}
