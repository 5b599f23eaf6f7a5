/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/file_answer.h"

#include <assert.h>
#include <string.h>

#define TAG "\"ff-1a-2ebb8d61.5\""

static struct arena arena;

static const struct file_facts facts = {
        .inode = 0xff,
        .size = 26,
        .modified = 784043361, /* Sat, 05 Nov 1994 13:49:21 GMT */
        .modified_nsec = 5,
        .now = 1700000000,
        .type = "text/plain",
};

/* A request with at most two header fields, and what came of it. */
struct trial {
        struct response response;
        struct byte_range range;
        int r;
};

static struct header header(const char *name, const char *value)
{
        return (struct header){.name = name,
                               .value = value,
                               .name_size = strlen(name),
                               .value_size = strlen(value)};
}

static struct trial try_facts(const struct file_facts *of, const char *method, const char *name,
                              const char *value)
{
        struct header headers[] = {header(name ? name : "", value ? value : "")};
        struct request request = {.method = method, .headers = headers, .n_headers = name ? 1 : 0};
        struct trial trial = {0};

        trial.r = file_answer(&request, of, &arena, &trial.response, &trial.range);
        return trial;
}

static struct trial try(const char *method, const char *name, const char *value)
{
        return try_facts(&facts, method, name, value);
}

static bool has(const struct trial *trial, const char *name, const char *value)
{
        for (size_t i = 0; i < trial->response.n_headers; i++) {
                if (header_is(&trial->response.headers[i], name))
                        return value && strcmp(trial->response.headers[i].value, value) == 0;
        }
        return !value;
}

static void test_whole_file(void)
{
        static const char *const methods[] = {"GET", "HEAD"};

        for (size_t i = 0; i < 2; i++) {
                struct trial trial = try(methods[i], NULL, NULL);

                assert(trial.r == 1 && trial.response.status == 200);
                assert(trial.range.first == 0 && trial.range.size == 26);
                assert(has(&trial, "ETag", TAG));
                assert(has(&trial, "Last-Modified", "Sat, 05 Nov 1994 13:49:21 GMT"));
                assert(has(&trial, "Content-Type", "text/plain"));
                assert(has(&trial, "Accept-Ranges", "bytes"));
                assert(has(&trial, "X-Content-Type-Options", "nosniff"));
                assert(has(&trial, "Content-Range", NULL));
                assert(has(&trial, "Content-Encoding", NULL));
                assert(has(&trial, "Cache-Control", NULL) && has(&trial, "Vary", NULL));
        }
}

static void test_variant_has_a_tag_of_its_own(void)
{
        struct file_facts variant = facts;
        struct trial trial;

        variant.coding = "br";
        variant.varies = true;
        variant.cache_control = "max-age=60";
        trial = try_facts(&variant, "GET", NULL, NULL);
        assert(has(&trial, "ETag", "\"ff-1a-2ebb8d61.5-br\""));
        assert(has(&trial, "Content-Encoding", "br"));
        assert(has(&trial, "Vary", "Accept-Encoding"));
        assert(has(&trial, "Cache-Control", "max-age=60"));
}

static void test_range(void)
{
        struct trial trial = try("GET", "Range", "bytes=2-4");

        assert(trial.r == 1 && trial.response.status == 206);
        assert(trial.range.first == 2 && trial.range.size == 3);
        assert(has(&trial, "Content-Range", "bytes 2-4/26"));
        assert(has(&trial, "ETag", TAG) && has(&trial, "Content-Type", "text/plain"));
}

static void test_range_is_for_get_only(void)
{
        struct trial trial = try("HEAD", "Range", "bytes=2-4");

        assert(trial.r == 1 && trial.response.status == 200 && trial.range.size == 26);
        trial = try("HEAD", "Range", "bytes=99-");
        assert(trial.response.status == 200);
}

static void test_range_that_is_not_understood_gets_the_whole(void)
{
        struct trial trial = try("GET", "Range", "bytes=0-1,3-4");

        assert(trial.r == 1 && trial.response.status == 200 && trial.range.size == 26);
        assert(has(&trial, "Content-Range", NULL));
}

static void test_range_that_is_not_there(void)
{
        struct trial trial = try("GET", "Range", "bytes=26-");

        assert(trial.r == 0 && trial.response.status == 416);
        assert(has(&trial, "Content-Range", "bytes */26"));
        assert(trial.response.body_size > 0);
}

static void test_not_modified_has_the_validators_and_no_content(void)
{
        struct file_facts cached = facts;
        struct trial trial;

        cached.varies = true;
        cached.cache_control = "max-age=60";
        trial = try_facts(&cached, "GET", "If-None-Match", TAG);
        assert(trial.r == 1 && trial.response.status == 304 && trial.range.size == 26);
        assert(has(&trial, "ETag", TAG) && has(&trial, "Vary", "Accept-Encoding"));
        assert(has(&trial, "Cache-Control", "max-age=60"));
        assert(has(&trial, "Content-Type", NULL));
}

static void test_failed_condition(void)
{
        struct trial trial = try("GET", "If-Match", "\"x\"");

        assert(trial.r == 0 && trial.response.status == 412);
        assert(has(&trial, "ETag", NULL) && trial.response.body_size > 0);
}

/* RFC 9110 13.2.2, step 5: conditions come before the range, If-Range right before it. */
static void test_conditions_come_before_the_range(void)
{
        struct header headers[] = {header("Range", "bytes=99-"), header("If-None-Match", TAG)};
        struct request request = {.method = "GET", .headers = headers, .n_headers = 2};
        struct response response = {0}, other = {0}, part = {0};
        struct byte_range range;

        assert(file_answer(&request, &facts, &arena, &response, &range) == 1);
        assert(response.status == 304);
        headers[1] = header("If-Range", "\"x\"");
        assert(file_answer(&request, &facts, &arena, &other, &range) == 1);
        assert(other.status == 200 && range.size == 26);
        headers[0] = header("Range", "bytes=0-1");
        headers[1] = header("If-Range", TAG);
        assert(file_answer(&request, &facts, &arena, &part, &range) == 1);
        assert(part.status == 206 && range.size == 2);
}

static void test_two_lines_of_range_are_several_ranges(void)
{
        struct header headers[] = {header("Range", "bytes=0-1"), header("Range", "bytes=3-4")};
        struct request request = {.method = "GET", .headers = headers, .n_headers = 2};
        struct response response = {0};
        struct byte_range range;

        assert(file_answer(&request, &facts, &arena, &response, &range) == 1);
        assert(response.status == 200 && range.size == 26);
}

static void test_odd_times(void)
{
        struct file_facts odd = facts;
        struct trial trial;

        odd.modified = odd.now + 1000; /* RFC 9110 8.8.2.1: not later than the response */
        trial = try_facts(&odd, "GET", NULL, NULL);
        assert(has(&trial, "Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"));
        odd.modified = -5;
        trial = try_facts(&odd, "GET", NULL, NULL);
        assert(has(&trial, "Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"));
        odd.now = odd.modified = INT64_MAX;
        trial = try_facts(&odd, "GET", NULL, NULL);
        assert(has(&trial, "Last-Modified", "Fri, 31 Dec 9999 23:59:59 GMT"));
}

int main(void)
{
        test_whole_file();
        test_variant_has_a_tag_of_its_own();
        test_range();
        test_range_is_for_get_only();
        test_range_that_is_not_understood_gets_the_whole();
        test_range_that_is_not_there();
        test_not_modified_has_the_validators_and_no_content();
        test_failed_condition();
        test_conditions_come_before_the_range();
        test_two_lines_of_range_are_several_ranges();
        test_odd_times();
        arena_free(&arena);
        return 0;
}
