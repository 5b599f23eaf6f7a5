/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders as HTML: names gathered, sorted, escaped. Application threads. */
#include "app/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "request/escape.h"

struct names {
        char **texts; /* folders with a slash at the end */
        size_t n;
        bool more; /* beyond LISTING_MAX */
};

static void names_free(struct names *names)
{
        for (size_t i = 0; i < names->n; i++)
                free(names->texts[i]);
        free(names->texts);
}

static void close_folder(DIR **folder)
{
        if (*folder)
                (void)closedir(*folder);
}

static int add_name(struct names *names, const char *name, bool folder)
{
        char *text = NULL;

        if (asprintf(&text, "%s%s", name, folder ? "/" : "") < 0)
                return -ENOMEM;
        names->texts[names->n++] = text;
        return 0;
}

/* Some file systems do not tell the type with the name. */
static unsigned char type_of(int folder, const struct dirent *entry)
{
        struct stat status;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type;
        if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return DT_UNKNOWN;
        return (unsigned char)IFTODT(status.st_mode);
}

/* What a request could get: of pipes, sockets and devices it would get nothing. */
static bool shown(unsigned char type, const char *name)
{
        return name[0] != '.' && (type == DT_REG || type == DT_DIR || type == DT_LNK);
}

static int gather(struct names *names, DIR *folder)
{
        const struct dirent *entry;
        int r = 0;

        names->texts = calloc(LISTING_MAX, sizeof(names->texts[0]));
        if (!names->texts)
                return -ENOMEM;
        for (errno = 0; r == 0 && (entry = readdir(folder)); errno = 0) {
                unsigned char type = type_of(dirfd(folder), entry);

                if (!shown(type, entry->d_name))
                        continue;
                if (names->n == LISTING_MAX) {
                        names->more = true;
                        return 0;
                }
                r = add_name(names, entry->d_name, type == DT_DIR);
        }
        return r < 0 ? r : -errno;
}

static int by_name(const void *left, const void *right)
{
        return strcmp(*(char *const *)left, *(char *const *)right);
}

static void write_entry(FILE *stream, const char *name)
{
        (void)fputs("<li><a href=\"", stream);
        escape_path(stream, name);
        (void)fputs("\">", stream);
        escape_html(stream, name);
        (void)fputs("</a></li>\n", stream);
}

static void write_page(FILE *stream, const struct names *names, const char *path, bool top)
{
        (void)fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<title>Index of ",
                    stream);
        escape_html(stream, path);
        (void)fputs("</title>\n</head>\n<body>\n<h1>Index of ", stream);
        escape_html(stream, path);
        (void)fputs("</h1>\n<ul>\n", stream);
        if (!top)
                write_entry(stream, "../");
        for (size_t i = 0; i < names->n; i++)
                write_entry(stream, names->texts[i]);
        (void)fputs("</ul>\n", stream);
        if (names->more)
                (void)fprintf(stream, "<p>There are more; the first %d found are shown.</p>\n",
                              LISTING_MAX);
        (void)fputs("</body>\n</html>\n", stream);
}

static int write_text(char **ret, size_t *ret_size, const struct names *names, const char *path,
                      bool top)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        bool failed;

        if (!stream)
                return -ENOMEM;
        write_page(stream, names, path, top);
        failed = ferror(stream);
        if (fclose(stream) != 0 || failed)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

int listing_write(char **ret, size_t *ret_size, int fd, const char *path, bool top)
{
        _cleanup_(close_folder) DIR *folder = NULL;
        _cleanup_(names_free) struct names names = {0};
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        int r;

        folder = copy < 0 ? NULL : fdopendir(copy);
        if (!folder) {
                r = -errno;
                close_descriptor(&copy);
                return r;
        }
        r = gather(&names, folder);
        if (r < 0)
                return r;
        qsort(names.texts, names.n, sizeof(names.texts[0]), by_name);
        return write_text(ret, ret_size, &names, path, top);
}
