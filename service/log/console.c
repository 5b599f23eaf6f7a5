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
#include "log/record.h"

#define INDENT "                              "

/* A pipe that poll(2) calls writable takes this much without blocking (pipe(7)). */
#define WRITE_MAX PIPE_BUF

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
        {"debug", "\033[2m"},
};

/* Fields that the line tells in another way. */
static const char *const told_otherwise[] = {
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "RECORD", "MESSAGE_ID", "WORKER_ID",
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

/* Bytes of the well-formed UTF-8 sequence at @text (RFC 3629, without overlong forms and
 * surrogates); 0: there is none. */
static size_t utf8_sequence(const unsigned char *text, size_t size)
{
        static const unsigned char first_low[] = {0xc2, 0xe0, 0xf0};
        static const unsigned char first_high[] = {0xdf, 0xef, 0xf4};

        for (size_t more = 1; more <= 3; more++) {
                if (text[0] < first_low[more - 1] || text[0] > first_high[more - 1] || size <= more)
                        continue;
                for (size_t i = 1; i <= more; i++)
                        if ((text[i] & 0xc0) != 0x80)
                                return 0;
                if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
                    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f) ||
                    (text[0] == 0xc2 && text[1] < 0xa0))
                        return 0;
                return more + 1;
        }
        return 0;
}

static void put_escaped(FILE *line, const struct record_field *field, bool multi_line)
{
        const unsigned char *text = field->value;

        for (size_t i = 0; i < field->size;) {
                size_t n = text[i] >= 0x20 && text[i] < 0x7f
                                   ? 1
                                   : utf8_sequence(text + i, field->size - i);

                if (n > 0)
                        (void)fwrite(text + i, 1, n, line);
                else if (text[i] == '\n' && multi_line)
                        (void)fputs("\n" INDENT, line);
                else
                        (void)fprintf(line, "\\x%02x", text[i]);
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

static void put_worker(FILE *line, const char *record, size_t size)
{
        struct record_field field;

        if (find(record, size, "WORKER_ID", &field))
                (void)fprintf(line, "w%-5.*s ", (int)field.size, (const char *)field.value);
        else
                (void)fprintf(line, "%-6s ", "master");
}

static void put_fields(FILE *line, const char *record, size_t size)
{
        const char *cursor = record;
        struct record_field field;
        size_t name_size;

        while (record_next_field(&cursor, record + size, &field, &name_size) > 0) {
                bool told = false;

                for (size_t i = 0; i < sizeof(told_otherwise) / sizeof(told_otherwise[0]); i++)
                        told = told || is_named(&field, name_size, told_otherwise[i]);
                if (told)
                        continue;
                (void)fprintf(line, " %.*s=", (int)name_size, field.name);
                put_escaped(line, &field, false);
        }
}

static void put_record(FILE *line, const struct console *console, const char *record, size_t size,
                       uint64_t usec)
{
        const struct level *level = level_of(record, size);
        struct record_field message;

        put_time(line, usec);
        (void)fprintf(line, "%s%-6s%s ", console->colour ? level->colour : "", level->name,
                      console->colour ? "\033[0m" : "");
        put_worker(line, record, size);
        if (find(record, size, "MESSAGE", &message))
                put_escaped(line, &message, true);
        (void)fputs(console->colour ? "\033[2m" : "", line);
        put_fields(line, record, size);
        (void)fputs(console->colour ? "\033[0m\n" : "\n", line);
}

int console_flush(struct console *console)
{
        while (console->rest_written < console->rest_size) {
                struct pollfd fd = {.fd = console->fd, .events = POLLOUT};
                size_t left = console->rest_size - console->rest_written;
                ssize_t n;

                if (poll(&fd, 1, 0) != 1)
                        return -EAGAIN;
                n = write(console->fd, console->rest + console->rest_written,
                          left < WRITE_MAX ? left : WRITE_MAX);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return -EAGAIN;
                if (n < 0)
                        break; /* nobody reads any more: the line is given up */
                console->rest_written += (size_t)n;
        }
        console_done(console);
        return 0;
}

int console_send(struct console *console, const void *record, size_t size, uint64_t usec)
{
        FILE *line;
        int r = console_flush(console);

        if (r < 0)
                return r;
        line = open_memstream(&console->rest, &console->rest_size);
        if (!line)
                return -ENOMEM;
        put_record(line, console, record, size, usec);
        if (fclose(line) != 0) {
                console_done(console);
                return -ENOMEM;
        }
        /* What cannot be written now is kept and follows. */
        (void)console_flush(console);
        return 0;
}
