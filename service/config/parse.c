/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inih behind a reader that hands it only lines it takes as they are meant. One thread.
 *
 * Left alone, inih cuts long lines in two, takes an indented line for more of the value before,
 * ignores what follows a "]", tells the first syntax error only and never a line number. So the
 * reader looks at each line first, tells what is wrong with it, and passes on "[name]" or
 * "key=value" without blanks and comments.
 */
#include "config/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Far above any configuration; what is larger is another file given by mistake. */
#define FILE_MAX (1L << 20)

/* inih keeps names in 50 bytes with the NUL and cuts longer ones without a word. */
#define INIH_NAME_MAX 49

/* inih asks for lines 3 bytes below its buffer: "\r", "\n" and the NUL. */
#define INIH_LINE_SPARE 3

static const char blanks[] = " \t";
static const char byte_order_mark[] = "\xef\xbb\xbf";

struct reader {
        char *next;           /* the text that is not read yet */
        char *end;            /* behind it, one more byte may be written */
        struct origin origin; /* of the line read last */
        bool in_section;      /* a section line was seen */
        bool skipping;        /* its keys are not wanted */
        int error;
        const struct parse_sink *sink;
        struct problems *problems;
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static bool is_comment(const char *text)
{
        return *text == '\0' || *text == ';' || *text == '#';
}

/* The text without blanks around it; cuts them off behind. */
static char *strip(char *text)
{
        char *end;

        text += strspn(text, blanks);
        for (end = text + strlen(text); end > text && is_blank(end[-1]);)
                end--;
        *end = '\0';
        return text;
}

/* A comment behind a value begins with ";", at once or after a blank; a "#" there is no comment. */
static void cut_comment(char *value)
{
        for (char *at = value; *at; at++)
                if (*at == ';' && (at == value || is_blank(at[-1]))) {
                        *at = '\0';
                        return;
                }
}

static bool is_control(char c)
{
        return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* Ends the next line of the text and moves on behind it. */
static char *split_line(struct reader *reader, char **ret_end)
{
        char *line = reader->next;
        char *end = memchr(line, '\n', (size_t)(reader->end - line));

        if (!end)
                end = reader->end;
        reader->next = end + 1;
        reader->origin.line++;
        if (end > line && end[-1] == '\r')
                end--;
        *end = '\0';
        *ret_end = end;
        return line;
}

/* The next line, NULL at the end; a line that is no text is told and skipped. */
static char *take_line(struct reader *reader)
{
        while (reader->next < reader->end) {
                char *end, *line = split_line(reader, &end);
                char *at = line;

                while (at < end && !is_control(*at))
                        at++;
                if (at == end)
                        return line;
                (void)problems_add(reader->problems, &reader->origin,
                                   "control byte 0x%02x in column %td, expected text",
                                   (unsigned char)*at, at - line + 1);
        }
        return NULL;
}

/* Whether the line may go to inih; @line becomes the clean form of it. */
static bool take_section(struct reader *reader, char *line, char *clean, size_t size)
{
        char *close = strchr(line, ']');
        char *name;
        int r;

        reader->in_section = true;
        reader->skipping = true;
        if (!close || !is_comment(close + 1 + strspn(close + 1, blanks))) {
                (void)problems_add(reader->problems, &reader->origin,
                                   "expected a section such as [server] and nothing behind it");
                return false;
        }
        *close = '\0';
        name = strip(line + 1);
        if (strlen(name) > INIH_NAME_MAX) {
                (void)problems_add(reader->problems, &reader->origin,
                                   "section name of %zu bytes, expected at most %d", strlen(name),
                                   INIH_NAME_MAX);
                return false;
        }
        r = reader->sink->section(reader->sink->context, name, &reader->origin);
        if (r <= 0) {
                reader->error = r;
                return false;
        }
        reader->skipping = false;
        return (size_t)snprintf(clean, size, "[%s]", name) < size;
}

static bool is_key(const char *name)
{
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
        size_t length = strlen(name);

        return length > 0 && length <= INIH_NAME_MAX && strspn(name, allowed) == length;
}

static bool take_key(struct reader *reader, char *line, char *clean, size_t size)
{
        char *equals = strchr(line, '=');
        char *key, *value;
        size_t most = size - INIH_LINE_SPARE - strlen("=");
        const struct origin *origin = &reader->origin;

        if (!equals) {
                (void)problems_add(reader->problems, origin,
                                   "expected a comment, a [section] or key = value");
                return false;
        }
        *equals = '\0';
        key = strip(line);
        value = equals + 1;
        cut_comment(value);
        value = strip(value);

        if (!is_key(key))
                (void)problems_add(reader->problems, origin,
                                   "'%.64s' is no key, expected 1 to %d of a-z A-Z 0-9 _ - .", key,
                                   INIH_NAME_MAX);
        else if (!reader->in_section)
                (void)problems_add(
                        reader->problems, origin,
                        "%s: stands before any section, expected one such as [server] first", key);
        else if (strlen(key) + strlen(value) > most)
                (void)problems_add(reader->problems, origin,
                                   "%s: value of %zu bytes, expected at most %zu", key,
                                   strlen(value), most - strlen(key));
        else if (!reader->skipping)
                return (size_t)snprintf(clean, size, "%s=%s", key, value) < size;
        return false;
}

/* What inih calls for a line; NULL ends it. */
static char *next_clean_line(char *clean, int size, void *stream)
{
        struct reader *reader = stream;
        bool taken = false;
        char *line;

        while (!taken) {
                line = reader->error < 0 ? NULL : take_line(reader);
                if (!line)
                        return NULL;
                line = strip(line);
                if (is_comment(line))
                        continue;
                taken = *line == '[' ? take_section(reader, line, clean, (size_t)size)
                                     : take_key(reader, line, clean, (size_t)size);
        }
        return clean;
}

/* What inih calls for a key; its section is the one that take_section() announced. */
static int pass_key(void *stream, const char *section, const char *key, const char *value)
{
        struct reader *reader = stream;

        (void)section;
        reader->error = reader->sink->key(reader->sink->context, key, value, &reader->origin);
        return reader->error == 0;
}

/* At most @size bytes. Return: how many, or a negative errno. */
static ssize_t read_whole(int fd, char *text, size_t size)
{
        size_t length = 0;
        ssize_t n;

        do {
                n = read(fd, text + length, size - length);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                length += (size_t)n;
        } while (n != 0 && length < size);
        return (ssize_t)length;
}

/* A pipe is refused instead of read: a reload must not wait for whoever holds its other end. */
static int check_kind(int fd)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        if (S_ISDIR(status.st_mode))
                return -EISDIR;
        return S_ISREG(status.st_mode) || S_ISCHR(status.st_mode) ? 0 : -EINVAL;
}

/* Return: how many bytes, at most FILE_MAX; -EFBIG when there are more, or another errno. */
static ssize_t read_file(const char *path, char *text)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t length;
        int r;

        if (fd < 0)
                return -errno;
        r = check_kind(fd);
        if (r < 0)
                return r;
        length = read_whole(fd, text, FILE_MAX + 1);
        return length > FILE_MAX ? -EFBIG : length;
}

static void cannot_read(struct problems *problems, const struct origin *origin, int error)
{
        if (error == -EFBIG)
                (void)problems_add(problems, origin, "larger than 1 MiB");
        else if (error == -EINVAL)
                (void)problems_add(problems, origin, "cannot be read: not a regular file");
        else
                (void)problems_add(problems, origin, "cannot be read: %s", strerror(-error));
}

int parse_file(const char *path, const struct parse_sink *sink, struct problems *problems)
{
        struct reader reader = {.origin.file = path, .sink = sink, .problems = problems};
        const size_t mark = strlen(byte_order_mark);
        _cleanup_free_ char *text = malloc(FILE_MAX + 1);
        ssize_t length;

        if (!text)
                return -ENOMEM;
        length = read_file(path, text);
        if (length == -ENOENT)
                return -ENOENT;
        if (length < 0) {
                cannot_read(problems, &reader.origin, (int)length);
                return 0;
        }
        reader.next = text;
        reader.end = text + length;
        if ((size_t)length >= mark && memcmp(text, byte_order_mark, mark) == 0)
                reader.next += mark;
        (void)ini_parse_stream(next_clean_line, &reader, pass_key, &reader);
        return reader.error;
}
