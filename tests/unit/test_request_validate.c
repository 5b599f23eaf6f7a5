/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/validate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct head_limits roomy = {
        .request_line = 8190,
        .request_fields = 100,
        .request_field_size = 8190,
        .request_body = 10 << 20,
};

/*
 * A head as somebody writes it: "METHOD TARGET VERSION" and headers as "Name|value",
 * NULL-terminated.
 */
struct sample {
        const char *method;
        const char *target;
        const char *version;
        const char *headers[8];
};

static struct verdict judge(const struct sample *sample, const struct head_limits *limits,
                            struct framing *framing)
{
        static char text[8][256];
        struct header headers[8];
        struct request request = {
                .method = sample->method,
                .target = sample->target,
                .target_size = strlen(sample->target),
                .version = sample->version,
                .headers = headers,
        };

        for (size_t i = 0; i < 8 && sample->headers[i]; i++) {
                char *bar;

                (void)snprintf(text[i], sizeof(text[i]), "%s", sample->headers[i]);
                bar = strchr(text[i], '|');
                *bar = '\0';
                headers[i] = (struct header){.name = text[i],
                                             .name_size = (size_t)(bar - text[i]),
                                             .value = bar + 1,
                                             .value_size = strlen(bar + 1)};
                request.n_headers++;
        }
        return validate_head(&request, limits, framing);
}

static int status_of(const struct sample *sample)
{
        struct framing framing = {.chunked = true, .content_length = 4711};
        struct verdict verdict = judge(sample, &roomy, &framing);

        assert((verdict.status == 0) == (verdict.reason == NULL));
        if (verdict.status != 0) /* untouched on refusal */
                assert(framing.chunked && framing.content_length == 4711);
        return verdict.status;
}

#define GET(...)  (&(struct sample){"GET", "/p", "HTTP/1.1", {__VA_ARGS__}})
#define POST(...) (&(struct sample){"POST", "/p", "HTTP/1.1", {"Host|a", __VA_ARGS__}})
#define OLD(...)  (&(struct sample){"POST", "/p", "HTTP/1.0", {__VA_ARGS__}})

static int status_of_method(const char *method)
{
        return status_of(&(struct sample){method, "/p", "HTTP/1.1", {"Host|a"}});
}

static int status_of_version(const char *version)
{
        return status_of(&(struct sample){"GET", "/p", version, {"Host|a"}});
}

static void test_version_one_of_any_minor_is_accepted(void)
{
        assert(status_of_version("HTTP/1.0") == 0);
        assert(status_of_version("HTTP/1.1") == 0);
        assert(status_of_version("HTTP/1.2") == 0);
        assert(status_of_version("HTTP/2.0") == 505);
        assert(status_of_version("HTTP/0.9") == 505);
        assert(status_of_version("HTTP/1.10") == 400);
        assert(status_of_version("http/1.1") == 400);
        assert(status_of_version("HTTP/1,1") == 400);
        assert(status_of_version("HTTP/x.1") == 400);
        assert(status_of_version("") == 400);
}

static void test_method_is_an_upper_case_token(void)
{
        assert(status_of_method("GET") == 0);
        assert(status_of_method("BASELINE-CONTROL") == 0);
        assert(status_of_method("M-SEARCH") == 0);
        assert(status_of_method("ANYTHING") == 0);
        assert(status_of_method("") == 400);
        assert(status_of_method("G(@),T") == 400);
        assert(status_of_method("GE T") == 400);
        assert(status_of_method("get") == 501);
        assert(status_of_method("GeT") == 501);
        assert(status_of_method("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF") == 0);
        assert(status_of_method("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG") == 501);
        assert(status_of_method("CONNECT") == 501);
        assert(status_of_method("TRACE") == 405);
}

static void test_request_line_over_its_limit_is_414(void)
{
        const struct sample *sample = GET("Host|a"); /* "GET /p HTTP/1.1": 15 bytes */
        struct head_limits limits = roomy;
        struct framing framing;

        limits.request_line = 15;
        assert(judge(sample, &limits, &framing).status == 0);
        limits.request_line = 14;
        assert(judge(sample, &limits, &framing).status == 414);
}

static void test_headers_over_their_limits_are_431(void)
{
        const struct sample *sample = GET("Host|a", "X-Long|12345");
        struct head_limits limits = roomy;
        struct framing framing;

        limits.request_fields = 2;
        limits.request_field_size = 13; /* "X-Long: 12345" */
        assert(judge(sample, &limits, &framing).status == 0);
        limits.request_fields = 1;
        assert(judge(sample, &limits, &framing).status == 431);
        limits = roomy;
        limits.request_field_size = 12;
        assert(judge(sample, &limits, &framing).status == 431);
}

static void test_header_names_are_tokens(void)
{
        assert(status_of(GET("Host|a", "X-Real_User|a")) == 0);
        assert(status_of(GET("Host|a", "X |1")) == 400);
        assert(status_of(GET("Host|a", "X\t|1")) == 400);
        assert(status_of(GET("Host|a", " X|1")) == 400);
        assert(status_of(GET("Host|a", "X Y|1")) == 400);
        assert(status_of(GET("Host|a", "X(Y)@\"{}|1")) == 400);
        assert(status_of(GET("Host|a", "X\xe9|1")) == 400);
        assert(status_of(GET("Host|a", "|1")) == 400);
}

static void test_header_values_hold_no_control_byte_but_tab(void)
{
        assert(status_of(GET("Host|a", "X|")) == 0);
        assert(status_of(GET("Host|a", "X|a\tb")) == 0);
        assert(status_of(GET("Host|a", "X|\xc3\xa9\xff")) == 0);
        assert(status_of(GET("Host|a", "X|1\rY: 2")) == 400);
        assert(status_of(GET("Host|a", "X|1\nY: 2")) == 400);
        assert(status_of(GET("Host|a", "X|a\x01")) == 400);
        assert(status_of(GET("Host|a", "X|a\x7f")) == 400);
}

static void test_header_value_with_nul_is_400(void)
{
        struct header headers[] = {{"Host", "a", 4, 1}, {"X", "a\0b", 1, 3}};
        struct request request = {.method = "GET",
                                  .target = "/",
                                  .target_size = 1,
                                  .version = "HTTP/1.1",
                                  .headers = headers,
                                  .n_headers = 2};
        struct framing framing;

        assert(validate_head(&request, &roomy, &framing).status == 400);
}

static void test_host_is_needed_once_and_valid(void)
{
        assert(status_of(GET("Host|a")) == 0);
        assert(status_of(GET("X|1")) == 400);
        assert(status_of(GET("Host|a", "Host|b")) == 400);
        assert(status_of(GET("Host|a", "host|a")) == 400);
        assert(status_of(GET("Host|a, b")) == 400);
        assert(status_of(GET("Host|")) == 400);
        assert(status_of(OLD("X|1")) == 0);
        assert(status_of(OLD("Host|a", "Host|b")) == 400);
        assert(status_of(OLD("Host|a b/c@d")) == 400);
}

static bool valid(const char *authority)
{
        return authority_valid(authority, strlen(authority));
}

static void test_authority_is_host_and_port(void)
{
        assert(valid("example.org"));
        assert(valid("example.org:8080"));
        assert(valid("example.org:"));
        assert(valid("127.0.0.1:65535"));
        assert(valid("a_b-c.~"));
        assert(valid("[::1]"));
        assert(valid("[2001:db8::1]:443"));
        assert(!valid(""));
        assert(!valid(":80"));
        assert(!valid("a b/c@d"));
        assert(!valid("user@a"));
        assert(!valid("a,b"));
        assert(!valid("a:65536"));
        assert(!valid("a:99999999999999999999"));
        assert(!valid("a:1:2"));
        assert(!valid("a:x"));
        assert(!valid("a%41"));
        assert(!valid("a/"));
        assert(!valid("\xc3\xa9"));
        assert(!valid("[::1"));
        assert(!valid("[::1]x"));
        assert(!valid("[::1%25eth0]"));
        assert(!valid("[]"));
        assert(!valid("[1]"));
        assert(!authority_valid("a\0b", 3));
        assert(!authority_valid("[::\0]", 5));
}

static void test_content_length_is_one_number(void)
{
        assert(status_of(POST("Content-Length|5")) == 0);
        assert(status_of(POST("Content-Length|0000000005")) == 0);
        assert(status_of(POST("Content-Length|0")) == 0);
        assert(status_of(POST("Content-Length|5", "Content-Length|5")) == 400);
        assert(status_of(POST("Content-Length|0", "Content-Length|5")) == 400);
        assert(status_of(POST("Content-Length|")) == 400);
        assert(status_of(POST("Content-Length|+5")) == 400);
        assert(status_of(POST("Content-Length|-5")) == 400);
        assert(status_of(POST("Content-Length|5 ")) == 400);
        assert(status_of(POST("Content-Length| 5")) == 400);
        assert(status_of(POST("Content-Length|1e1")) == 400);
        assert(status_of(POST("Content-Length|0x5")) == 400);
        assert(status_of(POST("Content-Length|5, 5")) == 400);
        assert(status_of(POST("Content-Length|\x0b"
                              "5")) == 400);
}

static void test_content_length_over_the_limit_is_413(void)
{
        assert(status_of(POST("Content-Length|10485760")) == 0);
        assert(status_of(POST("Content-Length|10485761")) == 413);
        assert(status_of(POST("Content-Length|9223372036854775808")) == 413);
        assert(status_of(POST("Content-Length|18446744073709551616")) == 413);
}

static void test_content_length_never_exceeds_what_a_signed_number_holds(void)
{
        struct head_limits limits = roomy;
        struct framing framing;

        limits.request_body = UINT64_MAX;
        assert(judge(POST("Content-Length|9223372036854775807"), &limits, &framing).status == 0);
        assert(framing.content_length == INT64_MAX);
        assert(judge(POST("Content-Length|9223372036854775808"), &limits, &framing).status == 413);
}

static void test_transfer_encoding_is_chunked_once(void)
{
        assert(status_of(POST("Transfer-Encoding|chunked")) == 0);
        assert(status_of(POST("Transfer-Encoding|Chunked")) == 0);
        assert(status_of(POST("Transfer-Encoding|chunked", "Transfer-Encoding|chunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked", "Transfer-Encoding|identity")) == 400);
        assert(status_of(POST("Transfer-Encoding|identity")) == 400);
        assert(status_of(POST("Transfer-Encoding|gzip")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked, identity")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked, chunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked ")) == 400);
        assert(status_of(POST("Transfer-Encoding|\x0b"
                              "chunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked;foo=bar")) == 400);
        assert(status_of(POST("Transfer-Encoding|\"chunked\"")) == 400);
        assert(status_of(POST("Transfer-Encoding|xchunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|")) == 400);
        assert(status_of(POST("Transfer-Encoding|,chunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|gzip, chunked")) == 501);
        assert(status_of(POST("Transfer-Encoding|a , b\t,chunked")) == 501);
}

static void test_transfer_encoding_is_refused_beside_content_length_or_in_http_1_0(void)
{
        assert(status_of(POST("Content-Length|6", "Transfer-Encoding|chunked")) == 400);
        assert(status_of(POST("Transfer-Encoding|chunked", "Content-Length|4")) == 400);
        assert(status_of(POST("Transfer-Encoding|xchunked", "Content-Length|5")) == 400);
        assert(status_of(OLD("Host|a", "Transfer-Encoding|chunked")) == 400);
}

static void test_expect_knows_100_continue_only(void)
{
        assert(status_of(POST("Expect|100-continue")) == 0);
        assert(status_of(POST("Expect|100-Continue")) == 0);
        assert(status_of(POST("Expect|200-maybe")) == 417);
        assert(status_of(POST("Expect|")) == 417);
        assert(status_of(POST("Expect|100-continue", "Expect|more")) == 417);
        assert(status_of(OLD("Expect|200-maybe")) == 0);
}

static void test_framing_tells_how_the_body_comes(void)
{
        struct framing framing;

        assert(judge(POST("Content-Length|5"), &roomy, &framing).status == 0);
        assert(!framing.chunked && framing.content_length == 5);
        assert(judge(POST("Transfer-Encoding|chunked"), &roomy, &framing).status == 0);
        assert(framing.chunked && framing.content_length == 0);
        assert(judge(POST("X|y"), &roomy, &framing).status == 0);
        assert(!framing.chunked && framing.content_length == 0);
}

int main(void)
{
        test_version_one_of_any_minor_is_accepted();
        test_method_is_an_upper_case_token();
        test_request_line_over_its_limit_is_414();
        test_headers_over_their_limits_are_431();
        test_header_names_are_tokens();
        test_header_values_hold_no_control_byte_but_tab();
        test_header_value_with_nul_is_400();
        test_host_is_needed_once_and_valid();
        test_authority_is_host_and_port();
        test_content_length_is_one_number();
        test_content_length_over_the_limit_is_413();
        test_content_length_never_exceeds_what_a_signed_number_holds();
        test_transfer_encoding_is_chunked_once();
        test_transfer_encoding_is_refused_beside_content_length_or_in_http_1_0();
        test_expect_knows_100_continue_only();
        test_framing_tells_how_the_body_comes();
        return 0;
}
