/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: what is encoded, what cannot be forged, what an application may name a field. */
#include "log/record.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The encoded record of fields that the test added after record_init(). */
static char *encoded(const struct record *record, size_t *ret_size)
{
        size_t size = record_encoded_size(record);
        char *bytes = malloc(size);

        assert(bytes && record->error == 0);
        record_encode(record, bytes);
        *ret_size = size;
        return bytes;
}

static void expect_encoded(const struct record *record, const char *wanted, size_t wanted_size)
{
        size_t size;
        char *bytes = encoded(record, &size);

        assert(size == wanted_size && memcmp(bytes, wanted, size) == 0);
        free(bytes);
}

#define EXPECT_ENCODED(record, text) expect_encoded(record, text, sizeof(text) - 1)

static void test_init_adds_what_every_record_has(void)
{
        struct record record;

        record_init(&record, RECORD_ACCESS, 6);
        EXPECT_ENCODED(&record, "SYSLOG_IDENTIFIER=appsrv\nRECORD=access\nPRIORITY=6\n");
}

static void test_subject_adds_what_is_known(void)
{
        const struct record_subject nobody = {0}, generation = {.generation = 3},
                                    template = {.worker_pid = 77, .generation = 2},
                                    worker = {.worker_pid = 78, .worker_id = 5, .generation = 2};
        struct record record = {0};

        record_subject(&record, &nobody);
        assert(record.n_fields == 0);
        record_subject(&record, &generation);
        EXPECT_ENCODED(&record, "GENERATION=3\n");
        record = (struct record){0};
        record_subject(&record, &template);
        EXPECT_ENCODED(&record, "WORKER_PID=77\nGENERATION=2\n");
        record = (struct record){0};
        record_subject(&record, &worker);
        EXPECT_ENCODED(&record, "WORKER_PID=78\nWORKER_ID=5\nGENERATION=2\n");
}

static void test_a_value_with_a_newline_is_sent_with_its_length(void)
{
        struct record record = {0};

        record_string(&record, "A", "x\n\nMESSAGE=forged");
        record_bytes(&record, "B", "\n", 1);
        record_bytes(&record, "C", "", 0);
        EXPECT_ENCODED(&record, "A\n\x11\0\0\0\0\0\0\0x\n\nMESSAGE=forged\n"
                                "B\n\x01\0\0\0\0\0\0\0\n\n"
                                "C=\n");
}

static void test_all_other_bytes_are_sent_as_they_are(void)
{
        struct record record = {0};

        record_bytes(&record, "A", "\0=\xff\r\x1b", 5);
        record_string(&record, "B", NULL);
        EXPECT_ENCODED(&record, "A=\0=\xff\r\x1b\n");
}

static void test_numbers_are_written_from_end_to_end_of_their_range(void)
{
        struct record record = {0};

        record_number(&record, "A", 0);
        record_number(&record, "B", 10);
        record_number(&record, "C", UINT64_MAX);
        EXPECT_ENCODED(&record, "A=0\nB=10\nC=18446744073709551615\n");
}

static void test_a_name_that_journald_would_drop_fails_the_record(void)
{
        static const char *const names[] = {"", "a", "_A", "1A", "A-B", "A=B", "A\nB", "\xc3\x84"};
        char long_name[66];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct record record = {0};

                record_string(&record, names[i], "x");
                assert(record.error == -EINVAL && record.n_fields == 0);
        }
        memset(long_name, 'A', 65);
        long_name[65] = '\0';
        assert(!record_name_valid(long_name, 65) && record_name_valid(long_name, 64));
}

static void test_one_field_too_many_fails_the_record(void)
{
        struct record record = {0};

        for (int i = 0; i < RECORD_FIELDS_MAX; i++)
                record_string(&record, "A", "x");
        assert(record.error == 0);
        record_string(&record, "B", "x");
        assert(record.error == -E2BIG && record.n_fields == RECORD_FIELDS_MAX);
        record_string(&record, "b", "x");
        assert(record.error == -E2BIG); /* the first error stays */
}

static void test_a_long_text_is_cut_with_a_mark_and_leaves_room_for_numbers(void)
{
        struct record record = {0};

        record_format(&record, "MESSAGE", "%05000d", 7);
        assert(record.fields[0].size == RECORD_TEXT_MAX - RECORD_NUMBERS_ROOM - 1);
        assert(memcmp((const char *)record.fields[0].value + record.fields[0].size - 4, "0...",
                      4) == 0);
        record_format(&record, "MORE", "%s", "x");
        assert(record.fields[1].size == 3 && memcmp(record.fields[1].value, "...", 3) == 0);
        for (int i = 0; i < 20; i++)
                record_number(&record, "N", UINT64_MAX);
        assert(record.error == 0);
}

static void test_a_text_that_just_fits_is_not_cut(void)
{
        struct record record = {0};

        record_format(&record, "A", "%0*d", RECORD_TEXT_MAX - RECORD_NUMBERS_ROOM - 1, 7);
        assert(((const char *)record.fields[0].value)[record.fields[0].size - 1] == '7');
}

static void test_numbers_beyond_all_room_fail_the_record_and_write_nothing(void)
{
        struct record record = {0};

        record.text_used = RECORD_TEXT_MAX - 2;
        record_number(&record, "A", 99);
        assert(record.error == 0);
        record_number(&record, "A", 1);
        assert(record.error == -E2BIG && record.n_fields == 1);
}

static void test_an_application_may_not_use_names_that_say_who_and_what(void)
{
        static const char *const refused[] = {
                "MESSAGE",       "MESSAGE_ID",
                "MESSAGE_X",     "PRIORITY",
                "SYSLOG_PID",    "RECORD",
                "EVENT",         "WORKER_PID",
                "WORKER_X",      "GENERATION",
                "REQUEST_ID",    "APP",
                "HTTP_STATUS",   "OUTCOME",
                "REMOTE_ADDR",   "DURATION_USEC",
                "UNIT",          "USER_UNIT",
                "INVOCATION_ID", "RESPONSE_BYTES",
                "COREDUMP_UNIT", "OBJECT_PID",
                "LOG_LOST",      "LOST_ACCESS",
                "EXTRA",         "SIGNAL",
                "EXIT_CODE",     "STREAM",
                "REPLAYED",      "_PID",
                "__CURSOR",      "THREAD",
                "TID",           "DOCUMENTATION",
                "lower",         "SYSLOG_FACILITY",
                "OBJECT_X",      "",
                "A B",           "A=",
        };
        static const char *const taken[] = {
                "CODE_FILE", "CODE_LINE", "CODE_FUNC", "ERRNO", "LOGGER", "EXCEPTION",
                "TRACE_ID",  "ORDER_ID",  "APPLE",     "UNITS", "A",      "EVENTS",
        };

        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                assert(!record_name_valid(refused[i], strlen(refused[i])));
        for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
                assert(record_name_valid(taken[i], strlen(taken[i])));
        assert(record_name_valid("APPENDIX", 4) && !record_name_valid("APPENDIX", 3));
}

static void test_next_field_gives_back_what_was_encoded(void)
{
        struct record record;
        struct record_field field;
        size_t size, name_size;
        char *bytes;
        const char *cursor;

        record_init(&record, RECORD_OUTPUT, 5);
        record_string(&record, "A", "x\ny");
        record_bytes(&record, "B", "", 0);
        bytes = encoded(&record, &size);
        cursor = bytes;
        for (size_t i = 0; i < record.n_fields; i++) {
                assert(record_next_field(&cursor, bytes + size, &field, &name_size) == 1);
                assert(name_size == strlen(record.fields[i].name));
                assert(memcmp(field.name, record.fields[i].name, name_size) == 0);
                assert(field.size == record.fields[i].size);
                assert(memcmp(field.value, record.fields[i].value, field.size) == 0);
        }
        assert(record_next_field(&cursor, bytes + size, &field, &name_size) == 0);
        assert(record_encoded_kind(bytes, size) == RECORD_OUTPUT);
        free(bytes);
}

#define NEXT(text)                                                                                 \
        record_next_field(&(const char *){text}, (text) + sizeof(text) - 1, &field, &name_size)

static void test_next_field_refuses_what_is_no_record_and_leaves_its_results(void)
{
        struct record_field field = {.size = 42};
        size_t name_size = 43;

        assert(NEXT("A") == -EBADMSG);
        assert(NEXT("A=x") == -EBADMSG);
        assert(NEXT("=x\n") == -EBADMSG);
        assert(NEXT("\n") == -EBADMSG);
        assert(NEXT("a=x\n") == -EBADMSG);
        assert(NEXT("A\n\x01\0\0") == -EBADMSG);
        assert(NEXT("A\n\x01\0\0\0\0\0\0\0x") == -EBADMSG);
        assert(NEXT("A\n\x01\0\0\0\0\0\0\0xy") == -EBADMSG);
        assert(NEXT("A\n\xff\xff\xff\xff\xff\xff\xff\xffx\n") == -EBADMSG);
        assert(field.size == 42 && name_size == 43);
}

static void test_the_kind_of_foreign_bytes_is_an_applications(void)
{
        assert(record_encoded_kind("RECORD=thing\n", 13) == RECORD_APP);
        assert(record_encoded_kind("", 0) == RECORD_APP);
        assert(record_encoded_kind("RECORDS=event\n", 14) == RECORD_APP);
}

int main(void)
{
        test_init_adds_what_every_record_has();
        test_subject_adds_what_is_known();
        test_a_value_with_a_newline_is_sent_with_its_length();
        test_all_other_bytes_are_sent_as_they_are();
        test_numbers_are_written_from_end_to_end_of_their_range();
        test_a_name_that_journald_would_drop_fails_the_record();
        test_one_field_too_many_fails_the_record();
        test_a_long_text_is_cut_with_a_mark_and_leaves_room_for_numbers();
        test_a_text_that_just_fits_is_not_cut();
        test_numbers_beyond_all_room_fail_the_record_and_write_nothing();
        test_an_application_may_not_use_names_that_say_who_and_what();
        test_next_field_gives_back_what_was_encoded();
        test_next_field_refuses_what_is_no_record_and_leaves_its_results();
        test_the_kind_of_foreign_bytes_is_an_applications();
        return 0;
}
