/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/precondition.h"

#include <assert.h>
#include <string.h>

#define TAG    "\"a-1\""
#define DATE   "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct validators validators = {
        .etag = TAG, .last_modified = 784111777, .now = 1700000000};

static struct header header(const char *name, const char *value)
{
        return (struct header){.name = name,
                               .value = value,
                               .name_size = strlen(name),
                               .value_size = strlen(value)};
}

/* The status for a method and up to two fields. */
static int status_of(const char *method, const char *name, const char *value, const char *name_2,
                     const char *value_2)
{
        struct header headers[] = {header(name, value),
                                   header(name_2 ? name_2 : "", value_2 ? value_2 : "")};
        struct request request = {
                .method = method, .headers = headers, .n_headers = name_2 ? 2 : 1};

        return precondition_status(&request, &validators);
}

static int status(const char *name, const char *value)
{
        int r = status_of("GET", name, value, NULL, NULL);

        assert(status_of("HEAD", name, value, NULL, NULL) == r);
        return r;
}

static void test_no_condition_holds(void)
{
        struct request request = {.method = "GET"};

        assert(precondition_status(&request, &validators) == 0);
        assert(precondition_range(&request, &validators));
}

static void test_if_match_compares_strongly(void)
{
        assert(status("If-Match", TAG) == 0);
        assert(status("if-match", "*") == 0);
        assert(status("If-Match", "* \t") == 0);
        assert(status("If-Match", TAG " ") == 0);
        assert(status("If-Match", "\"x\", " TAG ",\"y\"") == 0);
        assert(status("If-Match", " ,\t, " TAG) == 0);
        assert(status("If-Match", "\"x\"") == 412);
        assert(status("If-Match", "W/" TAG) == 412);
        assert(status("If-Match", "W/" TAG ", " TAG) == 0);
        assert(status("If-Match", "") == 412);
        assert(status("If-Match", "a-1") == 412);
        assert(status("If-Match", "\"a-1") == 412);
        assert(status("If-Match", "\"x\" " TAG) == 412);
        assert(status("If-Match", "*, \"x\"") == 412);
        assert(status("If-Match", "\"A-1\"") == 412);
        assert(status("If-Match", "\"a-11\"") == 412);
        assert(status("If-Match", "w/" TAG) == 412);
}

static void test_if_none_match_compares_weakly(void)
{
        assert(status("If-None-Match", TAG) == 304);
        assert(status("If-None-Match", "W/" TAG) == 304);
        assert(status("If-None-Match", "*") == 304);
        assert(status("If-None-Match", "W/\"x\" , W/" TAG) == 304);
        assert(status("If-None-Match", "\"x\"") == 0);
        assert(status("If-None-Match", "a-1") == 0);
        assert(status("If-None-Match", "\"x, " TAG) == 0);
        assert(status("If-None-Match", "\"x,y\", " TAG) == 304);
        assert(status("If-None-Match", "") == 0);
}

static void test_dates(void)
{
        assert(status("If-Modified-Since", DATE) == 304);
        assert(status("If-Modified-Since", AFTER) == 304);
        assert(status("If-Modified-Since", BEFORE) == 0);
        assert(status("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT") == 304);
        assert(status("If-Unmodified-Since", DATE) == 0);
        assert(status("If-Unmodified-Since", AFTER) == 0);
        assert(status("If-Unmodified-Since", BEFORE) == 412);
}

static void test_date_that_is_none_is_no_condition(void)
{
        assert(status("If-Modified-Since", "soon") == 0);
        assert(status("If-Modified-Since", "Sun, 32 Nov 1994 08:49:37 GMT") == 0);
        assert(status("If-Unmodified-Since", "never") == 0);
        assert(status_of("GET", "If-Modified-Since", DATE, "If-Modified-Since", DATE) == 0);
        assert(status_of("GET", "If-Unmodified-Since", BEFORE, "If-Unmodified-Since", BEFORE) == 0);
}

/* RFC 9110 13.2.2. */
static void test_precedence(void)
{
        assert(status_of("GET", "If-Unmodified-Since", BEFORE, "If-Match", TAG) == 0);
        assert(status_of("GET", "If-Unmodified-Since", AFTER, "If-Match", "\"x\"") == 412);
        assert(status_of("GET", "If-Modified-Since", DATE, "If-None-Match", "\"x\"") == 0);
        assert(status_of("GET", "If-Modified-Since", BEFORE, "If-None-Match", TAG) == 304);
        assert(status_of("GET", "If-None-Match", TAG, "If-Match", "\"x\"") == 412);
        assert(status_of("GET", "If-None-Match", TAG, "If-Match", TAG) == 304);
        assert(status_of("GET", "If-Modified-Since", DATE, "If-Unmodified-Since", BEFORE) == 412);
        assert(status_of("GET", "If-Modified-Since", DATE, "If-Unmodified-Since", DATE) == 304);
}

static void test_lines_of_a_field_are_one_list(void)
{
        assert(status_of("GET", "If-None-Match", "\"x\"", "If-None-Match", TAG) == 304);
        assert(status_of("GET", "If-Match", "\"x\"", "If-Match", TAG) == 0);
        assert(status_of("GET", "If-Match", "\"x\"", "If-Match", "\"y\"") == 412);
}

static void test_methods_that_write(void)
{
        assert(status_of("PUT", "If-None-Match", "*", NULL, NULL) == 412);
        assert(status_of("PUT", "If-None-Match", "\"x\"", NULL, NULL) == 0);
        assert(status_of("PUT", "If-Modified-Since", DATE, NULL, NULL) == 0);
        assert(status_of("DELETE", "If-Match", TAG, NULL, NULL) == 0);
        assert(status_of("DELETE", "If-Unmodified-Since", BEFORE, NULL, NULL) == 412);
}

static bool range_holds(const char *value, int64_t now)
{
        struct header headers[] = {header("If-Range", value)};
        struct request request = {.method = "GET", .headers = headers, .n_headers = 1};
        struct validators then = validators;

        then.now = now;
        return precondition_range(&request, &then);
}

static void test_if_range(void)
{
        assert(range_holds(TAG, validators.now));
        assert(range_holds(TAG " ", validators.now));
        assert(!range_holds(TAG "x", validators.now));
        assert(!range_holds("\"x\"", validators.now));
        assert(!range_holds("W/" TAG, validators.now));
        assert(!range_holds("*", validators.now));
        assert(!range_holds("", validators.now));
        assert(!range_holds(TAG ", " TAG, validators.now));
        assert(range_holds(DATE, validators.now));
        assert(!range_holds(BEFORE, validators.now));
        assert(!range_holds(AFTER, validators.now));
        assert(!range_holds("soon", validators.now));
        assert(!range_holds(DATE, validators.last_modified));
        assert(range_holds(DATE, validators.last_modified + 1));
}

static void test_if_range_twice_does_not_hold(void)
{
        struct header headers[] = {header("If-Range", TAG), header("If-Range", TAG)};
        struct request request = {.method = "GET", .headers = headers, .n_headers = 2};

        assert(!precondition_range(&request, &validators));
}

int main(void)
{
        test_no_condition_holds();
        test_if_match_compares_strongly();
        test_if_none_match_compares_weakly();
        test_dates();
        test_date_that_is_none_is_no_condition();
        test_precedence();
        test_lines_of_a_field_are_one_list();
        test_methods_that_write();
        test_if_range();
        test_if_range_twice_does_not_hold();
        return 0;
}
