/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "app/mime.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-app-mime-XXXXXX";

static void load(struct mime *mime, const char *file, const char *text)
{
        const char *const files[] = {"missing", file, NULL};
        FILE *stream = fopen(file, "we");

        assert(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
        assert(mime_load(mime, files) == 0);
        assert(remove(file) == 0);
}

static void check(const struct mime *mime, const char *name, const char *type)
{
        assert(strcmp(mime_find(mime, name), type) == 0);
}

static void test_mime_types(void)
{
        struct mime mime;

        load(&mime, "mime.types",
             "# a comment  txt\n\ntext/html\t\t html  HTM\r\ntext/plain txt\n"
             "application/empty\nno-type foo\nimage/other txt\nfont/last last");
        check(&mime, "a.html", "text/html");
        check(&mime, "a.b.htm", "text/html");
        check(&mime, "A.HTML", "text/html");
        check(&mime, "a.txt", "text/plain"); /* the first of two */
        check(&mime, "a.last", "font/last");
        check(&mime, "a.foo", "application/octet-stream");
        check(&mime, "a.css", "application/octet-stream");
        check(&mime, "html", "application/octet-stream");
        check(&mime, "a.", "application/octet-stream");
        mime_free(&mime);
}

static void test_globs(void)
{
        struct mime mime;

        assert(mkdir("mime", 0700) == 0);
        load(&mime, "mime/globs2",
             "# comment\n80:text/heavy:*.a\n50:text/light:*.a\n50:text/x-c:*.c:cs\n"
             "50:application/x-tar-gz:*.tar.gz\n50:text/readme:README*\n50:text/odd:*.[ch]\n"
             "50:short\n:\n\n");
        assert(rmdir("mime") == 0);
        check(&mime, "x.a", "text/heavy");
        check(&mime, "x.c", "text/x-c");
        check(&mime, "x.gz", "application/octet-stream");
        check(&mime, "README", "application/octet-stream");
        assert(mime.n == 2);
        mime_free(&mime);
}

static void test_without_a_database_the_web_is_known(void)
{
        static const char *const none[] = {"missing", NULL};
        struct mime mime;

        assert(mime_load(&mime, none) == 0);
        check(&mime, "index.html", "text/html");
        check(&mime, "a.AVIF", "image/avif");
        check(&mime, "a.css", "text/css");
        check(&mime, "a.mjs", "text/javascript");
        check(&mime, "a.woff2", "font/woff2");
        check(&mime, "a.xml", "application/xml");
        check(&mime, "a.zzz", "application/octet-stream");
        mime_free(&mime);
}

static void test_empty_database(void)
{
        struct mime mime;

        load(&mime, "mime.types", "");
        check(&mime, "a.css", "text/css");
        mime_free(&mime);
}

/* Whatever the system has, the types of every site are in it. */
static void test_database_of_the_system(void)
{
        struct mime mime;

        assert(mime_load(&mime, mime_files) == 0);
        check(&mime, "a.html", "text/html");
        check(&mime, "a.css", "text/css");
        check(&mime, "a.png", "image/png");
        mime_free(&mime);
}

int main(void)
{
        assert(mkdtemp(folder) && chdir(folder) == 0);
        test_mime_types();
        test_globs();
        test_without_a_database_the_web_is_known();
        test_empty_database();
        test_database_of_the_system();
        assert(chdir("/") == 0 && rmdir(folder) == 0);
        return 0;
}
