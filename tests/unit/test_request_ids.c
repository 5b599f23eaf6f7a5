/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that proxies give requests: which are taken. */
#include "request/ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static struct header header_of(const char *name, const char *value)
{
        return (struct header){
                .name = name,
                .name_size = strlen(name),
                .value = value,
                .value_size = strlen(value),
        };
}

static void expect_id(const char *value, bool taken)
{
        struct header header = header_of("x-request-id", value);
        const struct request request = {.headers = &header, .n_headers = 1};

        assert(ids_request_id(&request) == (taken ? &header : NULL));
}

static void test_id_is_of_harmless_characters(void)
{
        char longest[66] = {0};

        expect_id("1", true);
        expect_id("Root=1-67891233-abcdef012345678912345678", true);
        expect_id("7b1e9c0e-5a0c-4c9b-9b39-5f6d4b8c7a10", true);
        expect_id("a.b_c~d+e/f=g:h@i-j", true);
        memset(longest, 'x', 64);
        expect_id(longest, true);
        longest[64] = 'x';
        expect_id(longest, false);
        expect_id("", false);
        expect_id("a b", false);
        expect_id("a\tb", false);
        expect_id("a\"b", false);
        expect_id("a,b", false);
        expect_id("a;b", false);
        expect_id("$(id)", false);
        expect_id("\xc3\xa4", false);
}

static void test_id_given_twice_is_none(void)
{
        struct header headers[] = {header_of("X-Request-ID", "a"), header_of("x-request-id", "a")};
        const struct request request = {.headers = headers, .n_headers = 2};

        assert(!ids_request_id(&request));
}

static void expect_trace(const char *traceparent, const char *id)
{
        struct header header = header_of("traceparent", traceparent);
        const struct request request = {.headers = &header, .n_headers = 1};
        const char *trace = ids_trace(&request);

        assert((trace == NULL) == (id == NULL));
        assert(!id || memcmp(trace, id, REQUEST_TRACE_SIZE) == 0);
}

static void test_trace_is_that_of_a_valid_traceparent(void)
{
        expect_trace("00-" TRACE "-00f067aa0ba902b7-01", TRACE);
        expect_trace("cc-" TRACE "-00f067aa0ba902b7-01-more", TRACE);
        expect_trace("cc-" TRACE "-00f067aa0ba902b7-01", TRACE);
        expect_trace("00-" TRACE "-00f067aa0ba902b7-01-more", NULL);
        expect_trace("cc-" TRACE "-00f067aa0ba902b7-01more", NULL);
        expect_trace("ff-" TRACE "-00f067aa0ba902b7-01", NULL);
        expect_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", NULL);
        expect_trace("00-" TRACE "-0000000000000000-01", NULL);
        expect_trace("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", NULL);
        expect_trace("00-" TRACE "-00f067aa0ba902b7-0", NULL);
        expect_trace("00_" TRACE "-00f067aa0ba902b7-01", NULL);
        expect_trace("", NULL);
}

static void test_nothing_is_no_name(void)
{
        const struct request request = {0};

        assert(!ids_request_id(&request) && !ids_trace(&request));
}

int main(void)
{
        test_id_is_of_harmless_characters();
        test_id_given_twice_is_none();
        test_trace_is_that_of_a_valid_traceparent();
        test_nothing_is_no_name();
        return EXIT_SUCCESS;
}
