/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console's lines, byte by byte, and what it does when nobody reads them. */
#include "log/console.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/record.h"

/* 01:02:03.456 UTC of some day. */
#define TIME UINT64_C(1700010123456000)

#define MARGIN "                           "

struct scene {
        struct console console;
        int reader, writer;
};

static struct scene scene_begin(void)
{
        struct scene scene;
        int ends[2];

        assert(pipe2(ends, O_CLOEXEC) == 0);
        scene.reader = ends[0];
        scene.writer = ends[1];
        assert(fcntl(scene.reader, F_SETFL, O_NONBLOCK) == 0);
        console_init(&scene.console, scene.writer);
        return scene;
}

static void scene_end(struct scene *scene)
{
        console_done(&scene->console);
        assert(close(scene->reader) == 0 && close(scene->writer) == 0);
}

static int send_record(struct scene *scene, const struct record *record)
{
        size_t size = record_encoded_size(record);
        char *bytes = malloc(size);
        int r;

        assert(bytes && record->error == 0);
        record_encode(record, bytes);
        r = console_send(&scene->console, bytes, size, TIME);
        free(bytes);
        return r;
}

static int send_message(struct scene *scene, const char *message)
{
        struct record record;

        record_init(&record, RECORD_APP, 6);
        record_string(&record, "MESSAGE", message);
        return send_record(scene, &record);
}

static size_t read_all(struct scene *scene, char *text, size_t room)
{
        size_t size = 0;
        ssize_t n;

        while ((n = read(scene->reader, text + size, room - 1 - size)) > 0)
                size += (size_t)n;
        text[size] = '\0';
        return size;
}

static void expect_text(struct scene *scene, const char *wanted)
{
        char text[PIPE_BUF];

        (void)read_all(scene, text, sizeof(text));
        if (strcmp(text, wanted) != 0)
                (void)fprintf(stderr, "got:    %swanted: %s", text, wanted);
        assert(strcmp(text, wanted) == 0);
}

static void expect_message(const char *message, const char *wanted)
{
        struct scene scene = scene_begin();

        assert(send_message(&scene, message) == 0);
        expect_text(&scene, wanted);
        scene_end(&scene);
}

static void test_a_record_is_an_aligned_line_with_its_fields(void)
{
        const struct record_subject worker = {.worker_pid = 77, .worker_id = 1};
        struct scene scene = scene_begin();
        struct record record;

        record_init(&record, RECORD_ACCESS, 5);
        record_subject(&record, &worker);
        record_string(&record, "MESSAGE", "GET / HTTP/1.1 404");
        record_number(&record, "HTTP_STATUS", 404);
        assert(send_record(&scene, &record) == 0);
        record_init(&record, RECORD_EVENT, 4);
        record_string(&record, "MESSAGE_ID", "0123");
        record_string(&record, "MESSAGE", "says");
        assert(send_record(&scene, &record) == 0);
        expect_text(&scene,
                    "01:02:03.456 notice w1     GET / HTTP/1.1 404 WORKER_PID=77 HTTP_STATUS=404\n"
                    "01:02:03.456 warn   master says\n");
        scene_end(&scene);
}

static void test_colour_marks_the_level_and_dims_the_fields(void)
{
        struct scene scene = scene_begin();
        struct record record;

        scene.console.colour = true;
        record_init(&record, RECORD_APP, 3);
        record_string(&record, "MESSAGE", "bad");
        record_string(&record, "A", "b");
        assert(send_record(&scene, &record) == 0);
        expect_text(&scene, "01:02:03.456 \033[31merror \033[0m master bad\033[2m A=b\033[0m\n");
        scene_end(&scene);
}

static void test_a_pipe_gets_no_colour(void)
{
        struct scene scene = scene_begin();

        assert(!scene.console.colour);
        scene_end(&scene);
}

static void test_lines_of_a_message_stand_under_it(void)
{
        expect_message("Traceback:\n  File \"a\"\nKeyError",
                       "01:02:03.456 info   master Traceback:\n" MARGIN "  File \"a\"\n" MARGIN
                       "KeyError\n");
}

static void test_a_message_cannot_forge_a_line(void)
{
        expect_message("x\n01:02:03.456 error  master forged\r\033[2J",
                       "01:02:03.456 info   master x\n" MARGIN
                       "01:02:03.456 error  master forged\\x0d\\x1b[2J\n");
}

static void test_a_newline_in_any_other_field_is_escaped(void)
{
        struct scene scene = scene_begin();
        struct record record;

        record_init(&record, RECORD_APP, 6);
        record_string(&record, "MESSAGE", "m");
        record_bytes(&record, "A", "x\ny\0\x7f", 5);
        assert(send_record(&scene, &record) == 0);
        expect_text(&scene, "01:02:03.456 info   master m A=x\\x0ay\\x00\\x7f\n");
        scene_end(&scene);
}

static void test_utf8_is_kept_and_what_is_none_escaped(void)
{
        expect_message("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
                       "01:02:03.456 info   master \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\n");
        /* a lone byte, an overlong form, a surrogate, beyond U+10FFFF, a C1 control, cut off */
        expect_message("\xff \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xc2\x9b \xe2\x82",
                       "01:02:03.456 info   master \\xff \\xc0\\xaf \\xed\\xa0\\x80 "
                       "\\xf4\\x90\\x80\\x80 \\xc2\\x9b \\xe2\\x82\n");
        /* what turns the direction of a line, or breaks it */
        expect_message("\xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8 \xe2\x80\xa7",
                       "01:02:03.456 info   master \\xe2\\x80\\xae \\xe2\\x81\\xa6 "
                       "\\xe2\\x80\\xa8 \xe2\x80\xa7\n");
}

/* Bytes without line breaks and the margins behind them; every line checked. */
static size_t unfold(char *text, size_t size)
{
        size_t out = 0, column = 0;

        for (size_t i = 0; i < size; i++) {
                column++;
                text[out++] = text[i];
                if (text[i] != '\n')
                        continue;
                assert(column <= PIPE_BUF);
                column = 0;
                if (i + 1 == size)
                        break;
                assert(strncmp(text + i + 1, MARGIN, strlen(MARGIN)) == 0);
                out--;
                i += strlen(MARGIN);
        }
        text[out] = '\0';
        return out;
}

static void test_a_line_that_no_pipe_takes_at_once_is_folded(void)
{
        const char head[] = "01:02:03.456 info   master ";
        struct scene scene = scene_begin();
        char *message = malloc(20001), *text = malloc(64 * 1024);

        assert(message && text);
        for (size_t i = 0; i < 20000; i++)
                message[i] = (char)('a' + i % 26);
        message[20000] = '\0';
        assert(send_message(&scene, message) == 0);
        assert(unfold(text, read_all(&scene, text, 64 * 1024)) == strlen(head) + 20001);
        assert(memcmp(text, head, strlen(head)) == 0);
        assert(memcmp(text + strlen(head), message, 20000) == 0);
        free(text);
        free(message);
        scene_end(&scene);
}

static void fill(const struct scene *scene)
{
        char blank[PIPE_BUF] = {0};
        int flags = fcntl(scene->writer, F_GETFL);

        assert(fcntl(scene->writer, F_SETFL, flags | O_NONBLOCK) == 0);
        while (write(scene->writer, blank, sizeof(blank)) > 0)
                ;
        assert(errno == EAGAIN);
        assert(fcntl(scene->writer, F_SETFL, flags) == 0);
}

static void test_a_full_pipe_is_not_waited_for_and_loses_nothing(void)
{
        struct scene scene = scene_begin();
        char *zeros = malloc(2 << 20);

        assert(zeros);
        fill(&scene);
        assert(send_message(&scene, "first") == 0); /* kept */
        assert(console_flush(&scene.console) == -EAGAIN);
        assert(send_message(&scene, "second") == -EAGAIN);
        (void)read_all(&scene, zeros, 2 << 20);
        assert(console_flush(&scene.console) == 0);
        expect_text(&scene, "01:02:03.456 info   master first\n");
        assert(send_message(&scene, "second") == 0);
        expect_text(&scene, "01:02:03.456 info   master second\n");
        free(zeros);
        scene_end(&scene);
}

static void test_a_reader_that_is_gone_refuses_the_record(void)
{
        struct scene scene = scene_begin();

        assert(close(scene.reader) == 0);
        assert(send_message(&scene, "x") == -EPIPE);
        assert(console_flush(&scene.console) == 0);
        assert(send_message(&scene, "y") == -EPIPE);
        console_done(&scene.console);
        assert(close(scene.writer) == 0);
}

int main(void)
{
        assert(setenv("TZ", "UTC", 1) == 0);
        tzset();
        assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        test_a_record_is_an_aligned_line_with_its_fields();
        test_colour_marks_the_level_and_dims_the_fields();
        test_a_pipe_gets_no_colour();
        test_lines_of_a_message_stand_under_it();
        test_a_message_cannot_forge_a_line();
        test_a_newline_in_any_other_field_is_escaped();
        test_utf8_is_kept_and_what_is_none_escaped();
        test_a_line_that_no_pipe_takes_at_once_is_folded();
        test_a_full_pipe_is_not_waited_for_and_loses_nothing();
        test_a_reader_that_is_gone_refuses_the_record();
        return 0;
}
