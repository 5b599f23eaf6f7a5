/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/target.h"

#include <assert.h>
#include <string.h>

static struct arena arena;

static struct request parsed(const char *method, const char *target, int status)
{
        static struct header host = {"Host", "h.example", 4, 9};
        struct request request = {.method = method,
                                  .target = target,
                                  .target_size = strlen(target),
                                  .headers = &host,
                                  .n_headers = 1};
        struct verdict verdict = target_parse(&request, &arena);

        assert(verdict.status == status);
        assert((verdict.reason == NULL) == (status == 0));
        return request;
}

static void expect_path(const char *target, const char *path)
{
        struct request request = parsed("GET", target, 0);

        assert(request.path_size == strlen(path));
        assert(strcmp(request.path, path) == 0);
}

static void expect_refusal(const char *target)
{
        (void)parsed("GET", target, 400);
}

static void test_path_is_decoded_once(void)
{
        expect_path("/", "/");
        expect_path("/a+b", "/a+b");
        expect_path("/a%3Fb%23c?x=%26", "/a?b#c");
        expect_path("/a%2fb", "/a/b");
        expect_path("/%2561", "/%61");
        expect_path("/%C3%a9", "/\xc3\xa9");
}

static void test_path_with_a_malformed_escape_or_nul_is_refused(void)
{
        expect_refusal("/a%zzb");
        expect_refusal("/a%4");
        expect_refusal("/a%");
        expect_refusal("/%4%34");
        expect_refusal("/a%00b");
}

static void test_path_loses_its_dot_segments(void)
{
        expect_path("/a/./b", "/a/b");
        expect_path("/a/b/../c", "/a/c");
        expect_path("/a/.", "/a/");
        expect_path("/a/b/..", "/a/");
        expect_path("/a/..", "/");
        expect_path("/a/../", "/");
        expect_path("/.", "/");
        expect_path("/a/.../.b/c..", "/a/.../.b/c..");
        expect_path("/a/%2e%2E/b", "/b");
        expect_path("/a%2f..%2fb", "/b");
}

static void test_path_keeps_empty_segments(void)
{
        expect_path("//", "//");
        expect_path("//a//b/", "//a//b/");
        expect_path("/a//../b", "/a/b");
}

static void test_path_that_leaves_the_root_is_refused(void)
{
        expect_refusal("/..");
        expect_refusal("/../../etc/passwd");
        expect_refusal("/a/../../b");
        expect_refusal("/%2e%2e/b");
        expect_refusal("/..%2fb");
}

static void test_query_stays_as_it_was_sent(void)
{
        struct request request = parsed("GET", "/a?x=%26&y=%zz?%00", 0);

        assert(strcmp(request.query, "x=%26&y=%zz?%00") == 0);
        assert(request.query_size == strlen(request.query));
        request = parsed("GET", "/a?", 0);
        assert(request.query && request.query_size == 0);
        request = parsed("GET", "/a", 0);
        assert(request.query && request.query_size == 0);
}

static void test_target_of_other_bytes_is_refused(void)
{
        expect_refusal("");
        expect_refusal("p");
        expect_refusal("/a b");
        expect_refusal("/a#b");
        expect_refusal("/a?b#c");
        expect_refusal("/\xc3\xa9");
        expect_refusal("/a\r");
        expect_refusal("/a\x7f");
}

static void test_absolute_target_gives_path_query_and_host(void)
{
        struct request request = parsed("GET", "http://x.example:81/p?q=1", 0);

        assert(strcmp(request.path, "/p") == 0);
        assert(strcmp(request.query, "q=1") == 0);
        assert(strcmp(request.host, "x.example:81") == 0);
        request = parsed("GET", "HTTPS://x.example", 0);
        assert(strcmp(request.path, "/") == 0);
        request = parsed("GET", "http://x.example?q", 0);
        assert(strcmp(request.path, "/") == 0 && strcmp(request.query, "q") == 0);
        expect_refusal("foo://x/p");
        expect_refusal("http:///p");
        expect_refusal("http://user@x/p");
        expect_refusal("http://x%41/p");
}

static void test_host_comes_from_the_header_else(void)
{
        struct request request = parsed("GET", "/", 0);

        assert(strcmp(request.host, "h.example") == 0);
        request.n_headers = 0;
        assert(target_parse(&request, &arena).status == 0);
        assert(strcmp(request.host, "") == 0);
}

static void test_asterisk_is_for_options_and_authority_for_nobody(void)
{
        struct request request = parsed("OPTIONS", "*", 0);

        assert(strcmp(request.path, "*") == 0 && request.path_size == 1);
        expect_refusal("*");
        expect_refusal("*/a");
        (void)parsed("CONNECT", "x.example:443", 501);
}

static void expect_argument(const char *query, const char *name, const char *value)
{
        struct request request = {.query = query, .query_size = strlen(query)};
        size_t size = 4711;
        const char *found = query_argument(&request, &arena, name, &size);

        if (!value) {
                assert(!found && size == 4711);
                return;
        }
        assert(found && size == strlen(value) && strcmp(found, value) == 0);
}

static void test_argument_is_the_first_of_its_name_decoded(void)
{
        expect_argument("a=1&b=2&a=3", "a", "1");
        expect_argument("a=1&b=2", "b", "2");
        expect_argument("x&a=c+d%21", "a", "c d!");
        expect_argument("a+b=1", "a b", "1");
        expect_argument("%61=1", "a", "1");
        expect_argument("a", "a", "");
        expect_argument("a=", "a", "");
        expect_argument("a=b=c", "a", "b=c");
        expect_argument("&&a=1", "a", "1");
        expect_argument("aa=1", "a", NULL);
        expect_argument("a=1", "aa", NULL);
        expect_argument("", "a", NULL);
        expect_argument("=x", "", NULL);
}

static void test_argument_keeps_what_is_no_escape(void)
{
        expect_argument("a=100%", "a", "100%");
        expect_argument("a=%4&b", "a", "%4");
        expect_argument("a=%zz", "a", "%zz");
}

static void test_argument_may_hold_nul(void)
{
        struct request request = {.query = "a=x%00y", .query_size = 7};
        size_t size;
        const char *value = query_argument(&request, &arena, "a", &size);

        assert(size == 3 && memcmp(value, "x\0y", 4) == 0);
}

int main(void)
{
        test_path_is_decoded_once();
        test_path_with_a_malformed_escape_or_nul_is_refused();
        test_path_loses_its_dot_segments();
        test_path_keeps_empty_segments();
        test_path_that_leaves_the_root_is_refused();
        test_query_stays_as_it_was_sent();
        test_target_of_other_bytes_is_refused();
        test_absolute_target_gives_path_query_and_host();
        test_host_comes_from_the_header_else();
        test_asterisk_is_for_options_and_authority_for_nobody();
        test_argument_is_the_first_of_its_name_decoded();
        test_argument_keeps_what_is_no_escape();
        test_argument_may_hold_nul();
        arena_free(&arena);
        return 0;
}
