/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/request.h"

#include <assert.h>
#include <string.h>

static void test_request_header_finds_the_first_without_case(void)
{
        struct header headers[] = {
                {"Accept", "a", 6, 1}, {"X-One", "1", 5, 1}, {"x-one", "2", 5, 1}};
        struct request request = {.headers = headers, .n_headers = 3};

        assert(request_header(&request, "x-ONE") == &headers[1]);
        assert(!request_header(&request, "x-on"));
        assert(!request_header(&request, "x-one-more"));
}

static void test_request_only_header_is_there_once(void)
{
        struct header headers[] = {
                {"Accept", "a", 6, 1}, {"X-One", "1", 5, 1}, {"x-one", "2", 5, 1}};
        struct request request = {.headers = headers, .n_headers = 3};

        assert(request_only_header(&request, "accept") == &headers[0]);
        assert(!request_only_header(&request, "X-One"));
        assert(!request_only_header(&request, "X-Two"));
}

static void test_token_valid_takes_tchar_only(void)
{
        assert(token_valid("aZ09!#$%&'*+-.^_`|~", 19));
        assert(!token_valid("", 0));
        assert(!token_valid("a b", 3));
        assert(!token_valid("a\0b", 3));
        assert(!token_valid("a:", 2));
        assert(!token_valid("a\xe9", 2));
        assert(!token_valid("a\x7f", 2));
        assert(!token_valid("(a)", 3));
}

static void test_value_ends_where_only_blanks_follow(void)
{
        assert(value_ends(""));
        assert(value_ends(" \t "));
        assert(!value_ends("a"));
        assert(!value_ends(" \ta "));
}

static void test_field_value_valid_refuses_control_bytes_but_tab(void)
{
        assert(field_value_valid("", 0));
        assert(field_value_valid("a\tb \xc3\xa9\xff", 7));
        assert(!field_value_valid("a\rb", 3));
        assert(!field_value_valid("a\nb", 3));
        assert(!field_value_valid("a\0b", 3));
        assert(!field_value_valid("\x01", 1));
        assert(!field_value_valid("\x7f", 1));
}

static void test_equal_ignoring_case_folds_letters_only(void)
{
        assert(equal_ignoring_case("ChunKED", 7, "chunked"));
        assert(!equal_ignoring_case("chunked", 6, "chunked"));
        assert(!equal_ignoring_case("@", 1, "`"));
        assert(!equal_ignoring_case("[", 1, "{"));
}

int main(void)
{
        test_request_header_finds_the_first_without_case();
        test_request_only_header_is_there_once();
        test_token_valid_takes_tchar_only();
        test_value_ends_where_only_blanks_follow();
        test_field_value_valid_refuses_control_bytes_but_tab();
        test_equal_ignoring_case_folds_letters_only();
        return 0;
}
