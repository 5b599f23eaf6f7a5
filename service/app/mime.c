/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Types of files: the lines of the shared databases as one sorted table. Loaded by the thread that
 * owns the process.
 */
#include "app/mime.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Some twenty times what the databases of today have. */
#define TEXT_MAX  ((size_t)1 << 20)
#define TYPES_MAX 65536

#define BLANKS " \t\r"

const char *const mime_files[] = {"/etc/mime.types", "/usr/share/mime/globs2", NULL};

/* When the system has no database at all, a site made of these is served as well. Sorted. */
static const struct mime_type built_in[] = {
        {"avif", "image/avif"},
        {"css", "text/css"},
        {"gif", "image/gif"},
        {"html", "text/html"},
        {"ico", "image/vnd.microsoft.icon"},
        {"jpg", "image/jpeg"},
        {"js", "text/javascript"},
        {"json", "application/json"},
        {"mjs", "text/javascript"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"svg", "image/svg+xml"},
        {"txt", "text/plain"},
        {"wasm", "application/wasm"},
        {"webp", "image/webp"},
        {"woff2", "font/woff2"},
        {"xml", "application/xml"},
};

static int add_type(struct mime *mime, char *extension, const char *type)
{
        struct mime_type *types;

        if (mime->n >= TYPES_MAX || !strchr(type, '/'))
                return 0;
        for (char *byte = extension; *byte; byte++)
                *byte = (char)tolower((unsigned char)*byte);
        /* A power of two each time that the room is used up. */
        if ((mime->n & (mime->n - 1)) == 0) {
                types = reallocarray(mime->types, mime->n > 0 ? 2 * mime->n : 1, sizeof(*types));
                if (!types)
                        return -ENOMEM;
                mime->types = types;
        }
        mime->types[mime->n++] = (struct mime_type){.extension = extension, .type = type};
        return 0;
}

/* "text/html  html htm"; a line may have no extension at all. */
static int take_types_line(struct mime *mime, char *line)
{
        const char *type = strsep(&line, BLANKS);
        char *extension;
        int r = 0;

        while (r == 0 && (extension = strsep(&line, BLANKS))) {
                if (*extension)
                        r = add_type(mime, extension, type);
        }
        return r;
}

/* "50:text/html:*.html", the heaviest first; further fields are flags. */
static int take_globs_line(struct mime *mime, char *line)
{
        const char *type;
        char *pattern;

        (void)strsep(&line, ":");
        type = strsep(&line, ":");
        pattern = strsep(&line, ":");
        if (!pattern || strncmp(pattern, "*.", 2) != 0 || strpbrk(pattern + 2, "*?[."))
                return 0;
        return add_type(mime, pattern + 2, type);
}

static int take_text(struct mime *mime, char *text, bool globs)
{
        char *line;
        int r = 0;

        while (r == 0 && (line = strsep(&text, "\n"))) {
                if (*line != '#')
                        r = globs ? take_globs_line(mime, line) : take_types_line(mime, line);
        }
        return r;
}

/* The first of equal ones counts, and the order of the file is that of their addresses. */
static int compare(const void *left, const void *right)
{
        const struct mime_type *a = left, *b = right;
        int order = strcmp(a->extension, b->extension);

        if (order != 0)
                return order;
        return (a->extension > b->extension) - (a->extension < b->extension);
}

static void sort_types(struct mime *mime)
{
        size_t kept = 0;

        if (mime->n == 0)
                return;
        qsort(mime->types, mime->n, sizeof(mime->types[0]), compare);
        for (size_t i = 1; i < mime->n; i++) {
                if (strcmp(mime->types[i].extension, mime->types[kept].extension) != 0)
                        mime->types[++kept] = mime->types[i];
        }
        mime->n = kept + 1;
}

/* A whole text file, NUL-terminated, cut at TEXT_MAX; NULL when it cannot be read. */
static char *read_text(const char *file)
{
        FILE *stream = fopen(file, "re");
        char *text = stream ? malloc(TEXT_MAX + 1) : NULL;
        size_t size;

        if (text) {
                size = fread(text, 1, TEXT_MAX, stream);
                text[size] = '\0';
        }
        if (stream)
                (void)fclose(stream);
        return text;
}

int mime_load(struct mime *ret, const char *const *files)
{
        struct mime mime = {0};
        const char *end;
        int r;

        while (*files && !(mime.text = read_text(*files)))
                files++;
        if (!mime.text) {
                *ret = mime;
                return 0;
        }
        end = strrchr(*files, '/');
        r = take_text(&mime, mime.text, end && strcmp(end, "/globs2") == 0);
        if (r < 0) {
                mime_free(&mime);
                return r;
        }
        sort_types(&mime);
        *ret = mime;
        return 0;
}

void mime_free(struct mime *mime)
{
        free(mime->types);
        free(mime->text);
        *mime = (struct mime){0};
}

static int compare_extension(const void *key, const void *type)
{
        return strcasecmp(key, ((const struct mime_type *)type)->extension);
}

const char *mime_find(const struct mime *mime, const char *name)
{
        const char *dot = strrchr(name, '.');
        const struct mime_type *found = NULL;

        if (dot && mime->n > 0)
                found = bsearch(dot + 1, mime->types, mime->n, sizeof(mime->types[0]),
                                compare_extension);
        else if (dot)
                found = bsearch(dot + 1, built_in, sizeof(built_in) / sizeof(built_in[0]),
                                sizeof(built_in[0]), compare_extension);
        return found ? found->type : "application/octet-stream";
}
