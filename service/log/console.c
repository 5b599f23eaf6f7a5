/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoded records taken apart again and written as aligned lines for a person. */
#include "log/console.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "log/record.h"

/* Under MESSAGE. */
#define INDENT "                           "

/* A pipe that poll(2) calls writable takes this much without blocking, and in one piece, so that
 * processes that share it do not mix their lines (pipe(7)). */
#define WRITE_MAX PIPE_BUF

/* Where a longer line is continued on the next, with room for an escaped character and colours. */
#define WIDTH_MAX (WRITE_MAX - 64)

#define DIM   "\033[2m"
#define PLAIN "\033[0m"

struct level {
        const char *name;
        const char *colour;
};

static const struct level levels[] = {
        {"emerg", "\033[1;31m"},
        {"alert", "\033[1;31m"},
        {"crit", "\033[1;31m"},
        {"error", "\033[31m"},
        {"warn", "\033[33m"},
        {"notice", "\033[1m"},
        {"info", ""},
        {"debug", DIM},
};

/* Fields that the line tells in another way. */
static const char *const told_otherwise[] = {
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "RECORD", "MESSAGE_ID", "WORKER_ID",
};

/* What becomes of a record: a line, or several of which only the first does not begin blank. */
struct line {
        FILE *file;
        size_t width; /* bytes since the last newline, roughly: what has a fixed size is left out */
};

void console_init(struct console *console, int fd)
{
        const char *no_colour = getenv("NO_COLOR");

        *console = (struct console){
                .fd = fd,
                .colour = isatty(fd) && !(no_colour && *no_colour),
        };
}

void console_done(struct console *console)
{
        free(console->rest);
        console->rest = NULL;
        console->rest_size = console->rest_written = 0;
}

/* Characters that are sent as they are: no control, and none that turns the direction of what
 * follows (U+2028 to U+202E, U+2066 to U+2069). */
static size_t printable(const unsigned char *text, size_t size)
{
        size_t n = utf8_size((const char *)text, size);

        if (n == 1)
                return text[0] >= 0x20 && text[0] != 0x7f;
        if (n == 2 && text[0] == 0xc2 && text[1] < 0xa0)
                return 0; /* C1 controls */
        if (n == 3 && text[0] == 0xe2 &&
            ((text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||
             (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9)))
                return 0;
        return n;
}

static void put_break(struct line *line)
{
        (void)fputs("\n" INDENT, line->file);
        line->width = strlen(INDENT);
}

static void put_escaped(struct line *line, const struct record_field *field, bool multi_line)
{
        const unsigned char *text = field->value;

        for (size_t i = 0; i < field->size;) {
                size_t n = printable(text + i, field->size - i);

                if (line->width > WIDTH_MAX)
                        put_break(line);
                if (n > 0)
                        line->width += fwrite(text + i, 1, n, line->file);
                else if (text[i] == '\n' && multi_line)
                        put_break(line);
                else
                        line->width += (size_t)fprintf(line->file, "\\x%02x", text[i]);
                i += n > 0 ? n : 1;
        }
}

static bool is_named(const struct record_field *field, size_t name_size, const char *name)
{
        return strlen(name) == name_size && memcmp(field->name, name, name_size) == 0;
}

static bool find(const char *record, size_t size, const char *name, struct record_field *ret)
{
        const char *cursor = record;
        size_t name_size;

        while (record_next_field(&cursor, record + size, ret, &name_size) > 0)
                if (is_named(ret, name_size, name))
                        return true;
        return false;
}

static void put_time(FILE *line, uint64_t usec)
{
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm local;

        if (localtime_r(&seconds, &local))
                (void)fprintf(line, "%02d:%02d:%02d.%03u ", local.tm_hour, local.tm_min,
                              local.tm_sec, (unsigned)(usec / USEC_PER_MSEC % 1000));
}

static const struct level *level_of(const char *record, size_t size)
{
        struct record_field field;
        const char *digit;

        if (!find(record, size, "PRIORITY", &field) || field.size != 1)
                return &levels[6];
        digit = field.value;
        return *digit >= '0' && *digit <= '7' ? &levels[*digit - '0'] : &levels[6];
}

static void put_worker(FILE *file, const char *record, size_t size)
{
        struct record_field field;

        if (find(record, size, "WORKER_ID", &field))
                (void)fprintf(file, "w%-5.*s ", (int)field.size, (const char *)field.value);
        else
                (void)fprintf(file, "%-6s ",
                              find(record, size, "WORKER_PID", &field) ? "tmpl" : "master");
}

static bool is_told_otherwise(const struct record_field *field, size_t name_size)
{
        for (size_t i = 0; i < sizeof(told_otherwise) / sizeof(told_otherwise[0]); i++)
                if (is_named(field, name_size, told_otherwise[i]))
                        return true;
        return false;
}

static void put_fields(struct line *line, const char *record, size_t size)
{
        const char *cursor = record;
        struct record_field field;
        size_t name_size;

        while (record_next_field(&cursor, record + size, &field, &name_size) > 0) {
                if (is_told_otherwise(&field, name_size))
                        continue;
                if (line->width + name_size > WIDTH_MAX)
                        put_break(line);
                line->width += (size_t)fprintf(line->file, " %.*s=", (int)name_size, field.name);
                put_escaped(line, &field, false);
        }
}

static void put_record(FILE *file, const struct console *console, const char *record, size_t size,
                       uint64_t usec)
{
        const struct level *level = level_of(record, size);
        const char *colour = console->colour ? level->colour : "";
        const char *reset = *colour ? PLAIN : "";
        struct line line = {.file = file, .width = strlen(INDENT)};
        struct record_field message;

        put_time(file, usec);
        (void)fprintf(file, "%s%-6s%s ", colour, level->name, reset);
        put_worker(file, record, size);
        if (find(record, size, "MESSAGE", &message))
                put_escaped(&line, &message, true);
        (void)fputs(console->colour ? DIM : "", file);
        put_fields(&line, record, size);
        (void)fputs(console->colour ? PLAIN "\n" : "\n", file);
}

/* What is written at once: the rest, or as many whole lines of it as a pipe takes in one piece. */
static size_t next_piece(const struct console *console)
{
        const char *rest = console->rest + console->rest_written;
        size_t left = console->rest_size - console->rest_written;
        const char *newline;

        if (left <= WRITE_MAX)
                return left;
        newline = memrchr(rest, '\n', WRITE_MAX);
        return newline ? (size_t)(newline - rest) + 1 : WRITE_MAX;
}

int console_flush(struct console *console)
{
        while (console->rest_written < console->rest_size) {
                struct pollfd fd = {.fd = console->fd, .events = POLLOUT};
                ssize_t n;
                int r;

                if (poll(&fd, 1, 0) != 1)
                        return -EAGAIN;
                n = write(console->fd, console->rest + console->rest_written, next_piece(console));
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return -EAGAIN;
                if (n < 0) {
                        r = -errno; /* nobody reads any more: the line is given up */
                        console_done(console);
                        return r;
                }
                console->rest_written += (size_t)n;
        }
        console_done(console);
        return 0;
}

int console_send(struct console *console, const void *record, size_t size, uint64_t usec)
{
        FILE *line;
        int r = console_flush(console);

        if (r == -EAGAIN)
                return r;
        line = open_memstream(&console->rest, &console->rest_size);
        if (!line)
                return -ENOMEM;
        put_record(line, console, record, size, usec);
        if (fclose(line) != 0) {
                console_done(console);
                return -ENOMEM;
        }
        r = console_flush(console);
        return r == -EAGAIN ? 0 : r; /* what cannot be written now is kept and follows */
}
