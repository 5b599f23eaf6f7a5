/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/access.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "config/config.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static struct arena arena;
static const struct record_subject subject = {.worker_pid = 77, .worker_id = 1, .generation = 1};

static const struct record_field *field_of(const struct record *record, const char *name)
{
        for (size_t i = 0; i < record->n_fields; i++) {
                if (strcmp(record->fields[i].name, name) == 0)
                        return &record->fields[i];
        }
        return NULL;
}

static void expect(const struct record *record, const char *name, const char *value)
{
        const struct record_field *field = field_of(record, name);

        assert((field != NULL) == (value != NULL));
        if (value)
                assert(field->size == strlen(value) &&
                       memcmp(field->value, value, field->size) == 0);
}

static struct request request_of(const char *method, const char *target)
{
        return (struct request){.method = method,
                                .target = target,
                                .target_size = target ? strlen(target) : 0,
                                .version = "HTTP/1.1",
                                .id = "0123456789abcdef0123456789abcdef",
                                .peer = "192.0.2.1"};
}

static void build(struct record *record, const struct access *access)
{
        access_record(record, access, &subject, &arena);
        assert(record->error == 0);
}

static void test_record_of_a_request_that_went_well(void)
{
        struct request request = request_of("GET", "/a?b");
        struct access access = {.request = &request,
                                .status = 200,
                                .response_bytes = 1234,
                                .duration_usec = 812,
                                .app = "hello"};
        struct record record;

        build(&record, &access);
        assert(record.kind == RECORD_ACCESS && record.priority == 6);
        expect(&record, "MESSAGE", "GET /a?b HTTP/1.1 200 1234B 812us 192.0.2.1");
        expect(&record, "APP", "hello");
        expect(&record, "HTTP_METHOD", "GET");
        expect(&record, "HTTP_STATUS", "200");
        expect(&record, "DURATION_USEC", "812");
        expect(&record, "RESPONSE_BYTES", "1234");
        expect(&record, "REMOTE_ADDR", "192.0.2.1");
        expect(&record, "REQUEST_ID", "0123456789abcdef0123456789abcdef");
        expect(&record, "OUTCOME", "ok");
        expect(&record, "WORKER_PID", "77");
        expect(&record, "USER_AGENT", NULL);
        expect(&record, "REFERER", NULL);
        expect(&record, "HTTP_HOST", NULL);
        expect(&record, "TRACE_ID", NULL);
}

static void test_record_of_a_refusal_tells_why_and_misses_what_is_unknown(void)
{
        struct request request = {0};
        struct access access = {.request = &request,
                                .outcome = OUTCOME_REJECTED,
                                .status = 400,
                                .reason = "malformed method"};
        struct record record;

        build(&record, &access);
        assert(record.priority == 5);
        expect(&record, "MESSAGE", "- - - 400 0B 0us - (malformed method)");
        expect(&record, "HTTP_METHOD", NULL);
        expect(&record, "APP", NULL);
        expect(&record, "REMOTE_ADDR", NULL);
        expect(&record, "REQUEST_ID", NULL);
        expect(&record, "OUTCOME", "rejected");
}

static void test_record_without_a_response_has_no_status(void)
{
        struct request request = request_of("GET", "/");
        struct access access = {.request = &request, .outcome = OUTCOME_WORKER_DIED};
        struct record record;

        build(&record, &access);
        expect(&record, "MESSAGE", "GET / HTTP/1.1 - 0B 0us 192.0.2.1");
        expect(&record, "HTTP_STATUS", NULL);
}

static int priority_of(enum outcome outcome, int status)
{
        struct request request = request_of("GET", "/");
        struct access access = {.request = &request, .outcome = outcome, .status = status};
        struct record record;

        build(&record, &access);
        return record.priority;
}

static void test_priority_tells_whose_fault_it_was(void)
{
        assert(priority_of(OUTCOME_OK, 304) == 6);
        assert(priority_of(OUTCOME_OK, 404) == 5);
        assert(priority_of(OUTCOME_OK, 500) == 3);
        assert(priority_of(OUTCOME_CLIENT_ABORT, 499) == 5);
        assert(priority_of(OUTCOME_TIMEOUT, 504) == 3);
        assert(priority_of(OUTCOME_WORKER_DIED, 0) == 3);
        assert(priority_of(OUTCOME_SHUTDOWN, 200) == 3);
}

static void test_message_escapes_what_could_end_the_line(void)
{
        struct request request = request_of("GE\x01T", "/a\nb\\c\xc3\xa9\x7f d");
        struct access access = {.request = &request, .status = 400};
        struct record record;

        build(&record, &access);
        expect(&record, "MESSAGE",
               "GE\\x01T /a\\x0ab\\\\c\\xc3\\xa9\\x7f d HTTP/1.1 400 0B 0us 192.0.2.1");
}

static void test_message_holds_the_longest_target_in_full(void)
{
        enum { SIZE = 16 * 1024 };
        char *target = malloc(SIZE + 1);
        struct request request;
        struct access access = {.request = &request, .status = 200};
        const struct record_field *message;
        struct record record;

        assert(target);
        memset(target, '\x01', SIZE);
        target[SIZE] = '\0';
        request = request_of("GET", target);
        build(&record, &access);
        message = field_of(&record, "MESSAGE");
        assert(message->size ==
               strlen("GET ") + 4 * (size_t)SIZE + strlen(" HTTP/1.1 200 0B 0us 192.0.2.1"));
        assert(memcmp((const char *)message->value + message->size - 4, ".2.1", 4) == 0);
        free(target);
}

/*
 * A target so long that the size of its line cannot even be rounded up; only its start is ever
 * read.
 */
static void test_message_without_memory_is_cut_and_marked(void)
{
        static char start[4096];
        struct request request;
        struct access access = {.request = &request, .status = 200};
        const struct record_field *message;
        struct record record;

        memset(start, 'a', sizeof(start));
        request = request_of("GET", "");
        request.target = start;
        request.target_size = (SIZE_MAX - 47) / 4;
        build(&record, &access);
        message = field_of(&record, "MESSAGE");
        assert(memcmp(message->value, "GET aaa", 7) == 0);
        assert(memmem(message->value, message->size, "a... HTTP/1.1 200 ", 18));
        assert(message->size <= 1024);
}

static void test_extra_fields_come_on_demand(void)
{
        struct header headers[] = {
                {"User-Agent", "curl/8", 10, 6},
                {"Referer", "http://r/", 7, 9},
        };
        struct request request = request_of("GET", "/");
        struct access access = {.request = &request, .status = 200};
        struct record record;

        request.headers = headers;
        request.n_headers = 2;
        request.trace = TRACE "-and so on";
        request.host = "h.example";
        access.extra_fields = EXTRA_FIELD_USER_AGENT | EXTRA_FIELD_TRACE_ID;
        build(&record, &access);
        expect(&record, "USER_AGENT", "curl/8");
        expect(&record, "REFERER", NULL);
        expect(&record, "HTTP_HOST", NULL);
        expect(&record, "TRACE_ID", TRACE);
        access.extra_fields = EXTRA_FIELD_REFERER | EXTRA_FIELD_HTTP_HOST;
        build(&record, &access);
        expect(&record, "USER_AGENT", NULL);
        expect(&record, "REFERER", "http://r/");
        expect(&record, "HTTP_HOST", "h.example");
        expect(&record, "TRACE_ID", NULL);
}

static void test_outcome_names_are_those_of_the_schema(void)
{
        assert(strcmp(outcome_name(OUTCOME_OK), "ok") == 0);
        assert(strcmp(outcome_name(OUTCOME_CLIENT_ABORT), "client-abort") == 0);
        assert(strcmp(outcome_name(OUTCOME_TIMEOUT), "timeout") == 0);
        assert(strcmp(outcome_name(OUTCOME_WORKER_DIED), "worker-died") == 0);
        assert(strcmp(outcome_name(OUTCOME_SHUTDOWN), "shutdown") == 0);
        assert(strcmp(outcome_name(OUTCOME_REJECTED), "rejected") == 0);
}

static bool wanted(uint32_t policy, enum outcome outcome, int status, uint64_t *well)
{
        struct access access = {.outcome = outcome, .status = status};

        return access_wanted(policy, &access, well);
}

static void test_setting_decides_which_requests_are_recorded(void)
{
        static const uint32_t policies[] = {ACCESS_ALL, ACCESS_ERRORS, ACCESS_OFF, 1000};
        uint64_t well = 1;

        assert(wanted(ACCESS_ALL, OUTCOME_OK, 200, &well));
        assert(!wanted(ACCESS_ERRORS, OUTCOME_OK, 399, &well));
        assert(wanted(ACCESS_ERRORS, OUTCOME_OK, 400, &well));
        assert(wanted(ACCESS_ERRORS, OUTCOME_CLIENT_ABORT, 200, &well));
        assert(!wanted(ACCESS_OFF, OUTCOME_OK, 500, &well));
        assert(!wanted(ACCESS_OFF, OUTCOME_REJECTED, 400, &well));
        assert(wanted(1000, OUTCOME_TIMEOUT, 408, &well));
        for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
                assert(wanted(policies[i], OUTCOME_WORKER_DIED, 200, &well));
                assert(wanted(policies[i], OUTCOME_SHUTDOWN, 503, &well));
        }
}

static void test_sample_is_one_in_so_many_and_says_so(void)
{
        struct request request = request_of("GET", "/");
        struct access access = {.request = &request, .status = 200};
        struct record record;
        uint64_t well = 0;
        unsigned taken = 0;

        for (unsigned i = 0; i < 100; i++)
                taken += access_wanted(10, &access, &well);
        assert(taken == 10 && well == 100);
        build(&record, &access);
        expect(&record, "SAMPLE", "10");

        access = (struct access){.request = &request, .status = 404};
        assert(access_wanted(10, &access, &well) && well == 100);
        build(&record, &access);
        expect(&record, "SAMPLE", NULL);

        access = (struct access){.request = &request, .status = 200};
        assert(access_wanted(ACCESS_ALL, &access, &well));
        build(&record, &access);
        expect(&record, "SAMPLE", NULL);
}

static void expect_end(struct program_end program, const char *pid, const char *code,
                       const char *signal)
{
        struct request request = request_of("GET", "/");
        struct access access = {.request = &request, .status = 200, .program = program};
        struct record record;

        build(&record, &access);
        expect(&record, "CGI_PID", pid);
        expect(&record, "EXIT_CODE", code);
        expect(&record, "SIGNAL", signal);
}

static void test_end_of_a_program_is_told_as_far_as_it_is_known(void)
{
        expect_end((struct program_end){0}, NULL, NULL, NULL);
        expect_end((struct program_end){.pid = 12}, "12", NULL, NULL);
        expect_end((struct program_end){12, true, W_EXITCODE(0, 0)}, "12", "0", NULL);
        expect_end((struct program_end){12, true, W_EXITCODE(3, 0)}, "12", "3", NULL);
        expect_end((struct program_end){12, true, W_EXITCODE(0, SIGKILL)}, "12", NULL, "KILL");
        expect_end((struct program_end){12, true, W_EXITCODE(0, 40)}, "12", NULL, "40");
}

int main(void)
{
        test_record_of_a_request_that_went_well();
        test_record_of_a_refusal_tells_why_and_misses_what_is_unknown();
        test_record_without_a_response_has_no_status();
        test_priority_tells_whose_fault_it_was();
        test_message_escapes_what_could_end_the_line();
        test_message_holds_the_longest_target_in_full();
        test_message_without_memory_is_cut_and_marked();
        test_extra_fields_come_on_demand();
        test_outcome_names_are_those_of_the_schema();
        test_setting_decides_which_requests_are_recorded();
        test_sample_is_one_in_so_many_and_says_so();
        test_end_of_a_program_is_told_as_far_as_it_is_known();
        arena_free(&arena);
        return 0;
}
