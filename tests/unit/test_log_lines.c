/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines into blocks: each rule, in whatever pieces the bytes come, and with whatever the memory
 * holds. */
#include "log/lines.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEED        20240607U
#define OUTPUT_SIZE ((size_t)1 << 20)

#define TRACEBACK                                                                                  \
        "Traceback (most recent call last):\n"                                                     \
        "  File \"app.py\", line 7, in view\n"                                                     \
        "    1 / 0\n"                                                                              \
        "    ~~^~~\n"                                                                              \
        "ZeroDivisionError: division by zero"
#define DURING "\n\nDuring handling of the above exception, another exception occurred:\n\n"
#define CAUSE  "\n\nThe above exception was the direct cause of the following exception:\n\n"
#define GROUP                                                                                      \
        "  + Exception Group Traceback (most recent call last):\n"                                 \
        "  |   File \"app.py\", line 18, in <module>\n"                                            \
        "  |     raise ExceptionGroup(\"eg\", errors)\n"                                           \
        "  | ExceptionGroup: eg (2 sub-exceptions)\n"                                              \
        "  +-+---------------- 1 ----------------\n"                                               \
        "    | ValueError: one\n"                                                                  \
        "    | two\n"                                                                              \
        "    +---------------- 2 ----------------\n"                                               \
        "    | Traceback (most recent call last):\n"                                               \
        "    |   File \"app.py\", line 17, in <module>\n"                                          \
        "    | ZeroDivisionError: division by zero\n"                                              \
        "    +------------------------------------"
#define SYNTAX                                                                                     \
        "  File \"app.py\", line 1\n"                                                              \
        "    def (\n"                                                                              \
        "        ^\n"                                                                              \
        "SyntaxError: invalid syntax"

static struct lines lines;

/* Blocks that were taken, written one after the other as "<priority> cut size:text". */
struct output {
        size_t size;
        char text[OUTPUT_SIZE];
};

static struct output once, pieces;

static uint32_t next_random(uint32_t *state)
{
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

static void output_add(struct output *output, const struct lines_block *block)
{
        char head[64];
        int size = snprintf(head, sizeof(head), "<%d> %d %zu:", block->priority, block->cut,
                            block->size);

        assert(output->size + (size_t)size + block->size <= OUTPUT_SIZE);
        memcpy(output->text + output->size, head, (size_t)size);
        memcpy(output->text + output->size + size, block->text, block->size);
        output->size += (size_t)size + block->size;
}

static void take_all(bool flush, struct output *ret)
{
        struct lines_block block;

        while (lines_next(&lines, flush, &block)) {
                assert(block.size >= 1 && block.size <= LINES_ROOM);
                assert(block.priority >= -1 && block.priority <= 7);
                output_add(ret, &block);
                lines_take(&lines);
        }
        assert(!flush || !lines_waiting(&lines));
}

static void put(const void *text, size_t size)
{
        size_t room;
        void *to = lines_room(&lines, &room);

        assert(room >= size);
        memcpy(to, text, size);
        lines_add(&lines, size);
}

/* All of @text in pieces of @most bytes or, with @random, up to that, and a flush at its end. */
static void feed(const char *text, size_t size, size_t most, uint32_t *random, struct output *ret)
{
        lines_init(&lines);
        ret->size = 0;
        while (size > 0) {
                size_t piece = random ? 1 + next_random(random) % most : most;

                piece = piece < size ? piece : size;
                put(text, piece);
                take_all(false, ret);
                text += piece;
                size -= piece;
        }
        take_all(true, ret);
}

/* The blocks of a text of @size bytes are those that follow, up to a NULL; "<N>" at the beginning
 * of one is its priority. */
static void expect_bytes(const char *text, size_t size, ...)
{
        static struct output expected;
        const char *wanted;
        va_list blocks;

        expected.size = 0;
        va_start(blocks, size);
        while ((wanted = va_arg(blocks, const char *))) {
                bool prefixed = wanted[0] == '<' && wanted[1] >= '0' && wanted[1] <= '7' &&
                                wanted[2] == '>';
                struct lines_block block = {
                        .text = wanted + (prefixed ? 3 : 0),
                        .size = strlen(wanted) - (prefixed ? 3 : 0),
                        .priority = prefixed ? wanted[1] - '0' : -1,
                };

                output_add(&expected, &block);
        }
        va_end(blocks);

        for (size_t most = 1; most <= LINES_READ; most *= 2) {
                feed(text, size, most, NULL, &once);
                assert(once.size == expected.size);
                assert(memcmp(once.text, expected.text, once.size) == 0);
        }
}

#define EXPECT(text, ...) expect_bytes(text, strlen(text), __VA_ARGS__, NULL)

static void expect_next(bool flush, const char *text)
{
        struct lines_block block;

        assert(lines_next(&lines, flush, &block));
        assert(block.size == strlen(text) && memcmp(block.text, text, block.size) == 0);
}

static bool next(bool flush)
{
        struct lines_block block;

        return lines_next(&lines, flush, &block);
}

static void start(const char *text)
{
        lines_init(&lines);
        put(text, strlen(text));
}

static void test_each_line_is_a_block(void)
{
        EXPECT("one\ntwo\nthree\n", "one", "two", "three");
        EXPECT("one\r\ntwo\r\n", "one", "two");
        EXPECT("one\r\r\nt\rwo\r\n", "one\r", "t\rwo");
        EXPECT("one\ntwo", "one", "two");
        EXPECT("one\r", "one");
        EXPECT("x", "x");
}

static void test_empty_lines_outside_of_a_block_are_dropped(void)
{
        EXPECT("\n\none\n\n\r\n\ntwo\n\n", "one", "two");
        EXPECT("\n\n\r\n", NULL);
        EXPECT("", NULL);
        EXPECT("one\n\n  two\n", "one", "  two");
}

static void test_an_indented_line_continues_the_block(void)
{
        EXPECT("one\n two\n\tthree\nfour\n", "one\n two\n\tthree", "four");
        EXPECT("one\r\n two\r\n", "one\n two");
        EXPECT("  one\n  two\n", "  one\n  two");
        EXPECT("one\n  \ntwo\n", "one\n  ", "two");
}

static void test_a_block_is_held_until_the_next_line_begins(void)
{
        start("one\n");
        assert(!next(false) && lines_waiting(&lines));
        put("t", 1);
        expect_next(false, "one");
        lines_take(&lines);
        assert(!next(false) && lines_waiting(&lines));
        put("wo\n ", 4);
        assert(!next(false));
        expect_next(true, "two\n ");
        lines_take(&lines);
        assert(!lines_waiting(&lines));
}

static void test_a_line_without_newline_is_given_only_on_flush(void)
{
        start("10 %\r");
        assert(!next(false) && lines_waiting(&lines));
        expect_next(true, "10 %");
        lines_take(&lines);
        assert(!lines_waiting(&lines));
        put("20 %\r", 5);
        expect_next(true, "20 %");
        lines_take(&lines);
        put("\n30 %", 5);
        assert(!next(false));
        expect_next(true, "30 %");
}

static void test_what_says_nothing_does_not_wait(void)
{
        static const char *const texts[] = {"", "\n", "\r", "\r\n", "<6>", "<6>\n", "\n\n<3>\r\n"};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                start(texts[i]);
                assert(!lines_waiting(&lines) && !next(true) && !lines_waiting(&lines));
        }
        put("late\n", 5);
        assert(lines_waiting(&lines));
}

static void test_a_block_stays_until_it_is_taken(void)
{
        start("one\ntwo\n");
        expect_next(false, "one");
        expect_next(false, "one");
        expect_next(true, "one");
        lines_take(&lines);
        lines_take(&lines);
        expect_next(true, "two");
        put(" three\n", 7);
        expect_next(true, "two\n three");
        lines_take(&lines);
        assert(!lines_waiting(&lines));
}

static void test_a_flushed_line_that_was_not_taken_grows(void)
{
        start("one");
        expect_next(true, "one");
        put("two\nx", 5);
        expect_next(false, "onetwo");
}

static void test_a_prefix_gives_the_priority(void)
{
        EXPECT("<3>error\n<6>info\nnone\n<7>\n<0>x\n", "<3>error", "<6>info", "none", "<0>x");
        EXPECT("<3>error\n  more\n", "<3>error\n  more");
        EXPECT("<3>error\n<3>  more\n", "<3>error", "<3>  more");
        EXPECT("<3><4>twice\n", "<3><4>twice");
        EXPECT("<8>a\n<33>b\n<>c\n<3d\n < 3>\n<", "<8>a", "<33>b", "<>c", "<3d\n < 3>", "<");
        EXPECT("<4>\n  alone\n", "  alone");
}

static void test_a_traceback_is_one_block(void)
{
        EXPECT("before\n\n" TRACEBACK "\nafter\n", "before", TRACEBACK, "after");
        EXPECT(TRACEBACK "\n  indented\nINFO: after\n", TRACEBACK "\n  indented", "INFO: after");
        EXPECT("Traceback (most recent call last):\n  File \"a\"\nKeyboardInterrupt\nx\n",
               "Traceback (most recent call last):\n  File \"a\"\nKeyboardInterrupt", "x");
        EXPECT("Traceback (most recent call last):\r\n  File \"a\"\r\nE: x\r\ny\r\n",
               "Traceback (most recent call last):\n  File \"a\"\nE: x", "y");
        EXPECT(TRACEBACK, TRACEBACK);
}

static void test_a_traceback_continues_the_line_directly_before_it(void)
{
        EXPECT("ERROR in app: Exception on / [GET]\n" TRACEBACK "\nafter\n",
               "ERROR in app: Exception on / [GET]\n" TRACEBACK, "after");
        EXPECT("<3>failed:\n  because\n" TRACEBACK "\n", "<3>failed:\n  because\n" TRACEBACK);
        EXPECT("failed: " TRACEBACK "\nafter\n", "failed: " TRACEBACK, "after");
}

static void test_the_line_after_a_traceback_is_a_block_of_its_own(void)
{
        EXPECT(TRACEBACK "\n" TRACEBACK "\n", TRACEBACK, TRACEBACK);
        EXPECT(TRACEBACK "\nmore of the message\n", TRACEBACK, "more of the message");
        EXPECT(TRACEBACK "\n\nDuring the night\n", TRACEBACK, "During the night");
        EXPECT(TRACEBACK DURING "not a traceback\n",
               TRACEBACK "\n\nDuring handling of the above exception, another exception occurred:",
               "not a traceback");
}

static void test_a_header_alone_takes_no_line_that_is_not_indented(void)
{
        EXPECT("Traceback (most recent call last):\nother\n",
               "Traceback (most recent call last):", "other");
        EXPECT("Traceback (most recent call last):\n  File \"a\"\n<6>other\n",
               "Traceback (most recent call last):\n  File \"a\"", "<6>other");
        EXPECT("one\nTraceback (most recent call last): no\n", "one",
               "Traceback (most recent call last): no");
        EXPECT("one\nTraceback (most\n", "one", "Traceback (most");
}

static void test_chained_tracebacks_are_one_block(void)
{
        EXPECT(TRACEBACK DURING TRACEBACK "\nafter\n", TRACEBACK DURING TRACEBACK, "after");
        EXPECT(TRACEBACK CAUSE TRACEBACK DURING TRACEBACK "\n\nafter\n",
               TRACEBACK CAUSE TRACEBACK DURING TRACEBACK, "after");
        EXPECT("ValueError: never raised" CAUSE TRACEBACK "\nafter\n",
               "ValueError: never raised" CAUSE TRACEBACK, "after");
        EXPECT("one\n\n\nDuring handling of the above exception, another exception occurred:\n",
               "one", "During handling of the above exception, another exception occurred:");
}

static void test_exception_groups_are_one_block(void)
{
        EXPECT(GROUP "\nafter\n", GROUP, "after");
        EXPECT("ERROR:root:failed\n" GROUP "\nafter\n", "ERROR:root:failed\n" GROUP, "after");
        EXPECT(TRACEBACK DURING GROUP "\nafter\n", TRACEBACK DURING GROUP, "after");
        EXPECT(TRACEBACK DURING GROUP CAUSE TRACEBACK "\nafter\n",
               TRACEBACK DURING GROUP CAUSE TRACEBACK, "after");
        EXPECT(GROUP CAUSE TRACEBACK "\nafter\n", GROUP CAUSE TRACEBACK, "after");
}

static void test_a_syntax_error_is_one_block(void)
{
        EXPECT(SYNTAX "\nafter\n", SYNTAX, "after");
        EXPECT("before\n\n" SYNTAX "\n", "before", SYNTAX);
        EXPECT("Traceback (most recent call last):\n  File \"main.py\", line 3\n" SYNTAX "\nx\n",
               "Traceback (most recent call last):\n  File \"main.py\", line 3\n" SYNTAX, "x");
        EXPECT("  File \"a\"\n    x\nIndentationError: y\nz\n",
               "  File \"a\"\n    x\nIndentationError: y", "z");
        EXPECT("  File \"a\"\n    print_stack()\nINFO: after\n", "  File \"a\"\n    print_stack()",
               "INFO: after");
        EXPECT("x\n  indented\nSyntaxError: y\n", "x\n  indented", "SyntaxError: y");
}

static void test_any_bytes_pass(void)
{
        static const char bytes[] = "a\0b\xff\xfe\x80\nc\0\n\0\n";
        struct lines_block block;

        lines_init(&lines);
        put(bytes, sizeof(bytes) - 1);
        assert(lines_next(&lines, false, &block));
        assert(block.size == 6 && memcmp(block.text, bytes, block.size) == 0);
        lines_take(&lines);
        assert(lines_next(&lines, false, &block) && block.size == 2);
        lines_take(&lines);
        assert(lines_next(&lines, true, &block) && block.size == 1 && block.text[0] == '\0');
}

/* A text of @size times a byte, then @end. */
static char *long_text(char byte, size_t size, const char *end)
{
        char *text = malloc(size + strlen(end) + 1);

        assert(text);
        memset(text, byte, size);
        memcpy(text + size, end, strlen(end) + 1);
        return text;
}

static struct output *expect_sizes(const char *text, ...)
{
        const char *at;
        size_t size;
        va_list sizes;

        feed(text, strlen(text), 5000, NULL, &once);
        at = once.text;
        va_start(sizes, text);
        while ((size = va_arg(sizes, size_t)) > 0) {
                char head[64];
                bool cut = (size & 1U << 31) != 0;
                int n;

                size &= ~(size_t)(1U << 31);
                n = snprintf(head, sizeof(head), "<-1> %d %zu:", cut, size);
                assert(at + n + size <= once.text + once.size);
                assert(memcmp(at, head, (size_t)n) == 0);
                at += (size_t)n + size;
        }
        va_end(sizes);
        assert(at == once.text + once.size);
        return &once;
}

#define CUT(size) ((size_t)(size) | 1U << 31)
#define END       ((size_t)0)
#define FULL      ((size_t)LINES_ROOM)

static void test_the_largest_line_is_not_cut(void)
{
        char *text = long_text('x', FULL, "\r\nafter\n");

        expect_sizes(text, FULL, (size_t)5, END);
        text[FULL] = '\0';
        expect_sizes(text, FULL, END);
        free(text);
}

static void test_a_longer_line_is_cut(void)
{
        char *text = long_text('x', FULL + 1, "\nafter\n");

        expect_sizes(text, CUT(FULL), (size_t)1, (size_t)5, END);
        free(text);
        text = long_text('x', 3 * FULL, "\r\n");
        expect_sizes(text, CUT(FULL), CUT(FULL), FULL, END);
        free(text);
}

static void test_a_piece_is_neither_judged_by_its_first_bytes_nor_without_priority(void)
{
        char *text = long_text('x', FULL, "<4> more\n  continued\nafter\n");
        struct lines_block block;

        memcpy(text, "<3>", 3);
        memcpy(text + FULL, " <5", 3);
        lines_init(&lines);
        put(text, strlen(text));
        assert(lines_next(&lines, false, &block));
        assert(block.cut && block.size == FULL - 3 && block.priority == 3);
        lines_take(&lines);
        assert(lines_next(&lines, false, &block) && !block.cut && block.priority == 3);
        assert(block.size == 20 && memcmp(block.text, " <5 more\n  continued", 20) == 0);
        lines_take(&lines);
        assert(lines_next(&lines, true, &block) && block.priority == -1);
        free(text);
}

static void test_the_last_piece_is_never_blank(void)
{
        char *text = long_text('x', FULL, "<6>\n");

        expect_sizes(text, CUT(FULL), (size_t)3, END);
        free(text);
}

static void test_a_traceback_goes_on_behind_a_line_that_was_cut(void)
{
        static const char head[] = "Traceback (most recent call last):\n  File \"a\"\n";
        char *frame = long_text('x', FULL, "yyyy\nE: x\nafter\n");
        char *end = long_text('x', FULL, "yyyy\nafter\n");
        struct lines_block block;

        memcpy(frame, "   ", 3);
        start(head);
        put(frame, strlen(frame));
        for (int i = 0; i < 3; i++) {
                assert(lines_next(&lines, false, &block));
                lines_take(&lines);
        }
        assert(block.size == 9 && memcmp(block.text, "yyyy\nE: x", 9) == 0);

        start(head);
        put(end, strlen(end));
        for (int i = 0; i < 3; i++) {
                assert(lines_next(&lines, false, &block));
                lines_take(&lines);
        }
        assert(block.size == 4);
        free(frame);
        free(end);
}

static void test_a_line_is_not_cut_within_a_character(void)
{
        static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

        for (size_t i = 0; i < 3; i++)
                for (size_t before = 1; before < strlen(characters[i]); before++) {
                        char *text = long_text('x', FULL - before, characters[i]);

                        expect_sizes(text, CUT(FULL - before), strlen(characters[i]), END);
                        free(text);
                }
}

static void test_a_line_of_stray_continuation_bytes_is_cut_where_it_is_full(void)
{
        char *text = long_text('\x80', FULL + 7, "\n");

        expect_sizes(text, CUT(FULL), (size_t)7, END);
        free(text);
}

static void test_a_block_that_is_full_ends_before_the_line_that_does_not_fit(void)
{
        char *text = long_text('x', FULL - 5, "\n abc\n def\nafter\n");

        expect_sizes(text, FULL, (size_t)4, (size_t)5, END);
        text[FULL] = 'c';
        expect_sizes(text, FULL - 5, (size_t)9, (size_t)5, END);
        free(text);
}

static void test_a_full_block_is_not_held_by_an_empty_line(void)
{
        char *text = long_text('x', FULL,
                               "\n\nDuring handling of the above exception, another "
                               "exception occurred:\n\n" TRACEBACK "\n");

        expect_sizes(text, FULL, strlen(DURING TRACEBACK) - 2, END);
        free(text);
}

static void test_the_empty_line_in_a_block_counts(void)
{
        static const char chain[] = DURING TRACEBACK "\n";
        size_t line = strlen("During handling of the above exception, another exception occurred:");
        char *text = long_text('x', FULL - 2 - line, chain);

        expect_sizes(text, FULL, strlen(TRACEBACK), END);
        free(text);
        text = long_text('x', FULL - 1 - line, chain);
        expect_sizes(text, FULL - 1 - line, strlen(DURING TRACEBACK) - 2, END);
        free(text);
}

static void test_a_block_of_too_many_lines_is_split(void)
{
        static char text[8 * LINES_MOST];
        struct lines_block block;

        strcpy(text, "<2>Traceback (most recent call last):\n");
        for (int i = 1; i < LINES_MOST + 10; i++)
                strcat(text, "  f\n");
        strcat(text, "E: x\nafter\n");
        start(text);
        assert(lines_next(&lines, false, &block) && !block.cut && block.priority == 2);
        assert(block.size == 35 + 4 * (LINES_MOST - 1) - 1);
        lines_take(&lines);
        assert(lines_next(&lines, false, &block) && block.size == 44 && block.priority == 2);
        assert(memcmp(block.text + 40, "E: x", 4) == 0);
        lines_take(&lines);
        assert(lines_next(&lines, true, &block) && block.priority == -1);
}

static void test_two_lines_that_join_together_have_room_for_both(void)
{
        static char text[4 * LINES_MOST + 500];
        struct lines_block block;

        text[0] = '\0';
        for (int i = 1; i < LINES_MOST; i++)
                strcat(text, "  f\n");
        strcat(text, &DURING[1]);
        start(text);
        assert(lines_next(&lines, true, &block) && block.size == 4 * (LINES_MOST - 1) - 1);
}

/* -- in whatever pieces ------------------------------------------------------------------------ */

static const char *const words[] = {
        "one\n",
        "two",
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "  indented\n",
        "<3>",
        "<6>info\n",
        "<",
        "Traceback (most recent call last):\n",
        "  File \"app.py\", line 1\n",
        "SyntaxError: x\n",
        TRACEBACK "\n",
        TRACEBACK DURING,
        GROUP "\n",
        SYNTAX "\n",
        DURING,
        CAUSE,
        "\xe2\x82\xac",
        "\x80\x80",
        "T",
        "D",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* A text of words and, now and then, of very many of one of them. */
static size_t random_text(uint32_t *random, char *text, size_t most)
{
        size_t size = 0;

        for (uint32_t n = next_random(random) % 200; n > 0; n--) {
                const char *word = words[next_random(random) % WORDS];
                size_t times = 1;

                if (next_random(random) % 64 == 0)
                        times = (FULL - next_random(random) % 16) / strlen(word);
                for (; times > 0 && size + strlen(word) <= most; times--) {
                        memcpy(text + size, word, strlen(word));
                        size += strlen(word);
                }
        }
        return size;
}

static void test_the_pieces_in_which_a_text_comes_do_not_matter(void)
{
        static const size_t most[] = {2, 9, 100, 3000, LINES_READ};
        static char text[OUTPUT_SIZE / 4];
        uint32_t random = SEED;

        for (int i = 0; i < 300; i++) {
                size_t size = random_text(&random, text, sizeof(text));

                feed(text, size, LINES_READ, NULL, &once);
                feed(text, size, most[next_random(&random) % 5], &random, &pieces);
                assert(once.size == pieces.size);
                assert(memcmp(once.text, pieces.text, once.size) == 0);
        }
}

/* @head in one piece and @tail in single bytes are as both at once. */
static void expect_same_at_the_edge(const char *head, const char *tail)
{
        size_t size = strlen(head);

        lines_init(&lines);
        once.size = pieces.size = 0;
        put(head, size);
        put(tail, strlen(tail));
        take_all(false, &once);
        take_all(true, &once);

        put(head, size);
        for (; *tail; tail++) {
                put(tail, 1);
                take_all(false, &pieces);
        }
        take_all(true, &pieces);
        assert(once.size == pieces.size && memcmp(once.text, pieces.text, once.size) == 0);
}

static void test_nor_do_they_where_a_block_is_nearly_full(void)
{
        static const char *const tails[] = {
                "<6>info\n",
                "E: x\nafter\n",
                "Traceback (most recent call last): no\n",
                TRACEBACK "\nafter\n",
                DURING TRACEBACK "\nafter\n",
                "\r\n" TRACEBACK "\nafter\n",
                "  \xe2\x82\xac\r\n\r\nafter\n",
        };
        static const char frames[] = "<3>Traceback (most recent call last):\n ";

        for (size_t less = 0; less < 2 * LINES_AHEAD; less++) {
                char *head = long_text('x', FULL - less, "\n");

                memcpy(head, "<3>", 3);
                for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
                        expect_same_at_the_edge(head, tails[i]);
                memcpy(head, frames, strlen(frames));
                for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
                        expect_same_at_the_edge(head, tails[i]);
                free(head);
        }
}

static void test_bytes_one_at_a_time_are_looked_at_once(void)
{
        clock_t before = clock();
        struct lines_block block;

        lines_init(&lines);
        for (uint32_t i = 0, held = 1; i < 100000; i++, held++) {
                put("x", 1);
                if (lines_next(&lines, false, &block)) {
                        assert(block.cut);
                        lines_take(&lines);
                        assert(!lines_next(&lines, false, &block));
                        held = 1;
                }
                assert(lines.progress.searched == held);
        }
        assert(clock() - before < CLOCKS_PER_SEC); /* 3 ms, 30 with sanitizers */
}

/* -- killed and scribbled over ----------------------------------------------------------------- */

static void test_another_process_goes_on_elsewhere(void)
{
        static struct lines copy;
        struct lines_block block;

        start("zero\nfailed\n" TRACEBACK DURING "Trace");
        expect_next(false, "zero");
        lines_take(&lines);
        assert(!next(false));
        memcpy(&copy, &lines, sizeof(copy));
        memset(&lines, 0xee, sizeof(lines));
        assert(lines_next(&copy, true, &block));
        assert(memcmp(block.text, "failed\n" TRACEBACK, strlen("failed\n" TRACEBACK)) == 0);
        lines_take(&copy);
        assert(lines_next(&copy, true, &block) && block.size == 5);
        lines_take(&copy);
        assert(!lines_waiting(&copy));
}

/* As if it had been killed before the word was stored that says so. */
static void test_a_move_to_the_beginning_leaves_the_bytes_where_they_were(void)
{
        char *text = long_text('x', 9999, "\n");
        struct lines_block block;
        uint64_t held;
        size_t room;
        int moves = 0;

        lines_init(&lines);
        for (int i = 0; i < 50; i++) {
                text[0] = (char)('a' + i % 26);
                put(text, 10000);
                while (lines_next(&lines, false, &block))
                        lines_take(&lines);
                held = lines.held;
                (void)lines_room(&lines, &room);
                assert(room >= LINES_READ);
                moves += lines.held != held;
                lines.held = held;
                assert(lines_next(&lines, true, &block));
                assert(block.size == 9999 && memcmp(block.text, text, block.size) == 0);
        }
        assert(moves > 0);
        free(text);
}

static void scribble(uint32_t *random)
{
        unsigned char *bytes = (unsigned char *)&lines;

        for (size_t i = 0; i < offsetof(struct lines, text); i++)
                if (next_random(random) % 4 != 0)
                        bytes[i] = (unsigned char)(next_random(random) >> next_random(random) % 9);
}

/* Random bytes with many newlines, blanks and, now and then, one very long line. */
static void fill(uint32_t *random)
{
        static const char bytes[] = "\n\n\r \t<3>T\x80";
        uint32_t rarity = 1 + next_random(random) % 99;

        for (size_t i = 0; i < LINES_TEXT; i++) {
                uint32_t value = next_random(random);

                lines.text[i] = value % rarity == 0 ? bytes[value % (sizeof(bytes) - 1)] : 'x';
        }
}

/* Mostly as it could be, so that each check alone is what keeps it within bounds. */
static void scribble_plausibly(uint32_t *random)
{
        uint32_t size = next_random(random) % 4 * (next_random(random) % (LINES_ROOM / 2));
        uint32_t start_at = next_random(random) % (LINES_TEXT + 2);
        bool odd = next_random(random) % 2 == 0;

        lines.held = (uint64_t)start_at << 32 |
                     next_random(random) % (LINES_TEXT + (odd ? 999U : 1U) - start_at % LINES_TEXT);
        lines.given = next_random(random) % LINES_TEXT;
        lines.progress = (struct lines_progress){
                .size = size,
                .n_lines =
                        next_random(random) % 2 * LINES_MOST + (odd ? next_random(random) % 9 : 0),
                .searched = (odd ? 0 : size) + next_random(random) % (odd ? 60000 : 9),
                .gap = (uint8_t)(next_random(random) % 2),
                .state = (uint8_t)(next_random(random) % (odd ? 9 : 6)),
                .begun = (uint8_t)(next_random(random) % (odd ? 4 : 3)),
                .priority = (int8_t)(next_random(random) % (odd ? 20 : 9) - 1),
        };
        lines.then = lines.progress;
        for (uint32_t i = 0; i < 2; i++)
                if (start_at + size + i < LINES_TEXT && start_at + size + i > 0)
                        lines.text[start_at + size + i - 1] = '\n';
}

static void expect_within(const struct lines_block *block)
{
        assert(block->text >= lines.text && block->size <= LINES_ROOM);
        assert(block->text + block->size <= lines.text + LINES_TEXT);
        assert(block->priority >= -1 && block->priority <= 7);
}

static void any_call(uint32_t *random)
{
        struct lines_block block;
        size_t room;
        char *to;

        switch (next_random(random) % 5) {
        case 0:
                to = lines_room(&lines, &room);
                assert(to >= lines.text && to + room <= lines.text + LINES_TEXT);
                break;
        case 1:
                lines_add(&lines, next_random(random) % (2 * LINES_TEXT));
                break;
        case 2:
                if (lines_next(&lines, next_random(random) % 2 == 0, &block))
                        expect_within(&block);
                break;
        case 3:
                lines_take(&lines);
                break;
        default:
                (void)lines_waiting(&lines);
                break;
        }
}

/* However it was, it can be emptied, and then is as good as new. */
static void expect_recovery(void)
{
        struct lines_block block;
        size_t room, n = 0;

        while (lines_next(&lines, false, &block)) {
                expect_within(&block);
                lines_take(&lines);
                assert(n++ < LINES_TEXT);
        }
        (void)lines_room(&lines, &room);
        assert(room >= LINES_READ);
        while (lines_next(&lines, true, &block)) {
                expect_within(&block);
                lines_take(&lines);
                assert(n++ < LINES_TEXT);
        }
        assert(!lines_waiting(&lines));
}

static void test_no_content_of_the_memory_leads_out_of_it(void)
{
        uint32_t random = SEED;

        for (int i = 0; i < 200; i++) {
                fill(&random);
                for (int k = 0; k < 50; k++) {
                        if (next_random(&random) % 2 == 0)
                                scribble(&random);
                        else
                                scribble_plausibly(&random);
                        for (uint32_t n = next_random(&random) % 12; n > 0; n--)
                                any_call(&random);
                        if (k % 8 == 0)
                                expect_recovery();
                }
        }
}

static void test_not_more_is_taken_than_is_held(void)
{
        memset(&lines, 'x', sizeof(lines));
        start("one\ntwo\n");
        expect_next(false, "one");
        lines.given = 5000;
        lines_take(&lines);
        assert(!lines_waiting(&lines));
}

static void test_zeroed_memory_holds_nothing(void)
{
        memset(&lines, 0, sizeof(lines));
        assert(!lines_waiting(&lines) && !next(true));
        put("one\n", 4);
        expect_next(true, "one");
}

int main(void)
{
        (void)printf("seed %u\n", SEED);
        test_each_line_is_a_block();
        test_empty_lines_outside_of_a_block_are_dropped();
        test_an_indented_line_continues_the_block();
        test_a_block_is_held_until_the_next_line_begins();
        test_a_line_without_newline_is_given_only_on_flush();
        test_what_says_nothing_does_not_wait();
        test_a_block_stays_until_it_is_taken();
        test_a_flushed_line_that_was_not_taken_grows();
        test_a_prefix_gives_the_priority();
        test_a_traceback_is_one_block();
        test_a_traceback_continues_the_line_directly_before_it();
        test_the_line_after_a_traceback_is_a_block_of_its_own();
        test_a_header_alone_takes_no_line_that_is_not_indented();
        test_chained_tracebacks_are_one_block();
        test_exception_groups_are_one_block();
        test_a_syntax_error_is_one_block();
        test_any_bytes_pass();
        test_the_largest_line_is_not_cut();
        test_a_longer_line_is_cut();
        test_a_piece_is_neither_judged_by_its_first_bytes_nor_without_priority();
        test_the_last_piece_is_never_blank();
        test_a_traceback_goes_on_behind_a_line_that_was_cut();
        test_a_line_is_not_cut_within_a_character();
        test_a_line_of_stray_continuation_bytes_is_cut_where_it_is_full();
        test_a_block_that_is_full_ends_before_the_line_that_does_not_fit();
        test_a_full_block_is_not_held_by_an_empty_line();
        test_the_empty_line_in_a_block_counts();
        test_a_block_of_too_many_lines_is_split();
        test_two_lines_that_join_together_have_room_for_both();
        test_the_pieces_in_which_a_text_comes_do_not_matter();
        test_nor_do_they_where_a_block_is_nearly_full();
        test_bytes_one_at_a_time_are_looked_at_once();
        test_another_process_goes_on_elsewhere();
        test_a_move_to_the_beginning_leaves_the_bytes_where_they_were();
        test_no_content_of_the_memory_leads_out_of_it();
        test_not_more_is_taken_than_is_held();
        test_zeroed_memory_holds_nothing();
        return 0;
}
