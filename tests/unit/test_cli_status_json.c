/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON object, its names, and its strings out of any bytes. */
#include "cli/status_json.h"

#include "test_cli_status.h"

static void check(const struct looks *looks, const char *want)
{
        char *text = looks_written(looks, status_json);

        if (strcmp(text, want) != 0)
                (void)fprintf(stderr, "%s", text);
        assert(strcmp(text, want) == 0);
        free(text);
}

static void check_string(const char *bytes, const char *want)
{
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        assert(stream);
        status_json_string(stream, bytes);
        assert(fclose(stream) == 0);
        if (strcmp(text, want) != 0)
                (void)fprintf(stderr, "%s\n", text);
        assert(strcmp(text, want) == 0);
        free(text);
}

#define WORKER                                                                                     \
        "{\"worker_id\":1,\"pid\":42,\"generation\":3,\"state\":\"ready\",\"age_usec\":95000000,"  \
        "\"restarts\":2,"                                                                          \
        "\"accepting\":true,\"connections\":12,\"busy_threads\":2,\"queued\":4,"                   \
        "\"requests\":1234,\"requests_per_second\":234,\"p50_usec\":6,\"p99_usec\":6,"             \
        "\"responses\":{\"other\":0,\"1xx\":0,\"2xx\":1200,\"3xx\":20,\"4xx\":13,\"5xx\":1},"      \
        "\"log\":{\"shipped\":1230,\"lost\":0,\"used_bytes\":1024,\"capacity_bytes\":4096},"       \
        "\"requests_in_flight\":["

#define REQUEST                                                                                    \
        "{\"request_id\":\"0123456789abcdef\",\"state\":\"running\",\"age_usec\":2000,"            \
        "\"method\":\"GET\",\"target\":\"/a\",\"target_bytes\":2,\"version\":\"HTTP/1.1\","        \
        "\"peer\":\"192.0.2.1\",\"app\":\"shop\",\"status\":0,\"response_bytes\":0,"               \
        "\"thread\":0}"

#define MASTER                                                                                     \
        "\"master\":{\"pid\":41,\"age_usec\":99999993,\"black_boxes_waiting\":0,"                  \
        "\"log\":{\"shipped\":9,\"lost\":0,\"used_bytes\":0,\"capacity_bytes\":4096}}"

static void test_object_has_all_names(void)
{
        struct looks looks;

        looks_init(&looks);
        (void)looks_add(&looks, "/a", 2000);
        (void)looks_add(&looks, "/a", 2000);
        check(&looks,
              "{\"workers_ready\":1,\"workers_busy\":1,\"workers_wanted\":1,\"workers_range\":null,"
              "\"requests_per_second\":234,"
              "\"p50_usec\":6,\"p99_usec\":6,\"in_flight\":2,\"queued\":4,\"backlog\":3,\"log_"
              "lost\":0,"
              "\"generation\":3,\"restarts\":1,\"left_out\":0," MASTER
              ",\"templates\":[],\"workers\":[" WORKER REQUEST "," REQUEST "]}]}\n");
}

static void test_object_without_workers(void)
{
        struct looks looks;

        looks_init(&looks);
        looks.now.n_workers = 0;
        looks.now.master.backlog = UINT64_MAX;
        check(&looks,
              "{\"workers_ready\":0,\"workers_busy\":0,\"workers_wanted\":1,\"workers_"
              "range\":null,\"requests_per_second\":0,"
              "\"p50_usec\":0,\"p99_usec\":0,\"in_flight\":0,\"queued\":0,\"backlog\":null,\"log_"
              "lost\":0,"
              "\"generation\":3,\"restarts\":1,\"left_out\":0," MASTER
              ",\"templates\":[],\"workers\":[]}\n");
}

static void test_template_processes_are_listed(void)
{
        struct looks looks;
        char *text;

        looks_init(&looks);
        looks.now.templates[0] = (struct window_message){.pid = 43,
                                                         .generation = 2,
                                                         .state = WORKER_DRAINING,
                                                         .started_usec = NOW - 2 * USEC_PER_SEC};
        looks.now.templates[1] =
                (struct window_message){.pid = 44, .generation = 3, .state = WORKER_READY};
        looks.now.n_templates = 2;
        text = looks_written(&looks, status_json);
        assert(strstr(text, ",\"templates\":[{\"pid\":43,\"generation\":2,\"state\":\"draining\","
                            "\"age_usec\":2000000},{\"pid\":44,\"generation\":3,\"state\":"
                            "\"ready\",\"age_usec\":100000000}],\"workers\":["));
        free(text);
}

static void test_string_of_utf8_stays_as_it_is(void)
{
        check_string("", "\"\"");
        check_string("/a?b=c d'", "\"/a?b=c d'\"");
        check_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0",
                     "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc2\xa0\"");
}

static void test_string_escapes_what_json_or_a_terminal_takes_for_more(void)
{
        check_string("\"\\", "\"\\\"\\\\\"");
        check_string("\001\n\r\t\033\x7f", "\"\\u0001\\u000a\\u000d\\u0009\\u001b\\u007f\"");
        check_string("\xc2\x9b"
                     "2J",
                     "\"\\u009b2J\"");
}

static void test_string_shows_other_bytes_by_their_number(void)
{
        check_string("a\xff\xfez", "\"a\\u00ff\\u00fez\"");
        check_string("\xc3", "\"\\u00c3\"");
        check_string("\xe2\x82", "\"\\u00e2\\u0082\"");
        check_string("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"");
        check_string("\xc0\xaf", "\"\\u00c0\\u00af\"");
}

int main(void)
{
        test_object_has_all_names();
        test_object_without_workers();
        test_template_processes_are_listed();
        test_string_of_utf8_stays_as_it_is();
        test_string_escapes_what_json_or_a_terminal_takes_for_more();
        test_string_shows_other_bytes_by_their_number();
        return 0;
}
