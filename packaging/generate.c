/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs while appsrv is built: writes what follows from the tables (sample file, catalog, parts of
 * the manual) to stdout. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/comment.h"

/* Of a line of the sample file. */
#define COLUMNS 100

struct setting_row {
        const char *section; /* of a row without key: it begins */
        const char *key;
        const char *value;
        const char *allowed; /* in front of the limits */
        const char *min;
        const char *max;
        const char *doc;
};

struct event_row {
        const char *name;
        const char *id;
        const char *subject;
        const char *text;
};

struct field_row {
        const char *name;
        const char *doc;
};

enum {
#define TYPE(name, parse, parse_limit, format, expected, allowed) TYPE_##name,
#include "config/config.def"
        N_TYPES
};

static const char *const allowed_texts[N_TYPES] = {
#define TYPE(name, parse, parse_limit, format, expected, allowed) [TYPE_##name] = (allowed),
#include "config/config.def"
};

static const struct event_row events[] = {
#define EVENT(symbol, name, id, priority, subject, text) {name, id, subject, text},
#include "log/events.def"
#undef EVENT
};

static const struct field_row fields[] = {
#define ACCESS_FIELD(name, doc) {#name, doc},
#include "request/access.def"
#undef ACCESS_FIELD
};

#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Calls @section and @setting for each row of config.def, in its order. */
static void each_setting(void (*section)(const char *name, const char *doc),
                         void (*setting)(const struct setting_row *row))
{
#define SECTION(name, doc) section(#name, doc);
#define SETTING(section_name, key, type, value, min, max, doc)                                     \
        setting(&(struct setting_row){#section_name, #key, value, allowed_texts[TYPE_##type], min, \
                                      max, doc});
#define APP_SECTION(doc) section("app NAME", doc);
#define APP_SETTING(key, value, doc)                                                               \
        setting(&(struct setting_row){"app NAME", #key, value, "", "", "", doc});
#include "config/config.def"
}

static bool is_limited(const struct setting_row *row)
{
        return *row->allowed || *row->max;
}

/* -- the sample file -- */

static void ini_section(const char *name, const char *doc)
{
        (void)printf("\n\n");
        write_comment(stdout, doc, COLUMNS);
        (void)printf("%s[%s]\n", strchr(name, ' ') ? ";" : "", name);
}

static void ini_setting(const struct setting_row *row)
{
        (void)printf("\n");
        write_comment(stdout, row->doc, COLUMNS);
        if (is_limited(row))
                (void)printf("; Allowed: %s%s%s%s\n", row->allowed, row->min,
                             *row->max ? " to " : "", row->max);
        (void)printf(";%s =%s%s\n", row->key, *row->value ? " " : "", row->value);
}

static void write_ini(void)
{
        write_comment(stdout,
                      "Configuration of appsrv, see appsrv.ini(5). Each setting stands here with "
                      "its default, as a "
                      "comment. Files conf.d/*.ini beside this one are read after it, in the order "
                      "of their names; "
                      "they override it key by key and are the place for your own settings and "
                      "applications.",
                      COLUMNS);
        (void)printf(";\n");
        write_comment(stdout,
                      "After a change: appsrv check tells all mistakes at once, systemctl reload "
                      "appsrv puts it in "
                      "force without losing a request, appsrv show-config prints what is in force.",
                      COLUMNS);
        each_setting(ini_section, ini_setting);

        (void)printf("\n\n");
        write_comment(stdout,
                      "A page that shows that appsrv works. It gives way to any application that a "
                      "file in conf.d "
                      "mounts at /, so there is no need to remove it.",
                      COLUMNS);
        (void)printf("[app welcome]\n"
                     "type = native\n"
                     "path = welcome.so\n"
                     "mount = /\n"
                     "fallback = yes\n");
}

/* -- parts of the manual -- */

/* Text as roff takes it literally: no escape, no request, and "-" as it is typed. */
static void man_text(const char *text)
{
        bool at_start = true;

        for (; *text; text++) {
                if (at_start && (*text == '.' || *text == '\''))
                        (void)fputs("\\&", stdout);
                if (*text == '\\')
                        (void)fputs("\\e", stdout);
                else if (*text == '-')
                        (void)fputs("\\-", stdout);
                else
                        (void)fputc(*text, stdout);
                /* no line is as long as a priority string */
                if (*text == ':' && (text[1] == '+' || text[1] == '-'))
                        (void)fputs("\\:", stdout);
                at_start = *text == '\n';
        }
}

/* A paragraph: an empty line in @text begins another one of the same indentation. */
static void man_paragraphs(const char *text)
{
        while (*text) {
                size_t length = strcspn(text, "\n");
                char *line = strndup(text, length);

                if (!line)
                        abort();
                if (length == 0)
                        (void)fputs(".IP\n", stdout);
                man_text(line);
                if (length > 0)
                        (void)fputc('\n', stdout);
                free(line);
                text += length;
                text += *text == '\n';
        }
}

static void man_item(const char *name)
{
        (void)printf(".TP\n.B ");
        man_text(name);
        (void)printf("\n");
}

static void man_section(const char *name, const char *doc)
{
        (void)printf(".SS [");
        man_text(name);
        (void)printf("]\n");
        man_paragraphs(doc);
}

static void man_setting(const struct setting_row *row)
{
        man_item(row->key);
        man_paragraphs(row->doc);
        if (*row->value) {
                /* ragged: what has no blanks cannot be spread */
                (void)printf(".br\n.na\nDefault: \\fB");
                man_text(row->value);
                (void)printf("\\fP.\n.ad\n");
        }
        if (is_limited(row)) {
                (void)printf(".br\nAllowed: ");
                man_text(row->allowed);
                (void)printf("%s%s%s.\n", row->min, *row->max ? " to " : "", row->max);
        }
}

static void write_settings(void)
{
        each_setting(man_section, man_setting);
}

static void write_events(void)
{
        for (size_t i = 0; i < N_ROWS(events); i++) {
                man_item(events[i].name);
                (void)printf("MESSAGE_ID=%s\n.br\n", events[i].id);
                man_paragraphs(events[i].subject);
                (void)printf(".IP\n");
                man_paragraphs(events[i].text);
        }
}

static void write_fields(void)
{
        for (size_t i = 0; i < N_ROWS(fields); i++) {
                man_item(fields[i].name);
                man_paragraphs(fields[i].doc);
        }
}

/* -- the journal's catalog -- */

static void write_catalog(void)
{
        (void)printf("# SPDX-License-Identifier: LGPL-2.1-or-later\n"
                     "# What journalctl -x shows with the events of appsrv.\n\n");
        for (size_t i = 0; i < N_ROWS(events); i++) {
                size_t length = strlen(events[i].text);
                bool ended = length > 0 && events[i].text[length - 1] == '\n';

                (void)printf("-- %s\n"
                             "Subject: %s\n"
                             "Defined-By: appsrv\n"
                             "Documentation: man:appsrv(8)\n"
                             "\n%s%s\n",
                             events[i].id, events[i].subject, events[i].text, ended ? "" : "\n");
        }
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*write)(void);
        } products[] = {
                {"ini", write_ini},       {"settings", write_settings}, {"events", write_events},
                {"fields", write_fields}, {"catalog", write_catalog},
        };

        for (size_t i = 0; argc == 2 && i < N_ROWS(products); i++)
                if (strcmp(argv[1], products[i].name) == 0) {
                        products[i].write();
                        return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
                }
        (void)fprintf(stderr, "usage: generate ini|settings|events|fields|catalog\n");
        return EXIT_FAILURE;
}
