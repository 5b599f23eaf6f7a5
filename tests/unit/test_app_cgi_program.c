/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which file a path means: programs and what follows them, and nothing outside of the folder. */
#include "app/cgi_program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-app-cgi-XXXXXX";
static struct tree tree;
static struct cgi_settings settings = {.program = "", .interpreter = ""};

static void make_file(const char *name, mode_t mode)
{
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert(fd >= 0 && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static const struct {
        const char *name;
        mode_t mode; /* 0: a folder */
} files[] = {
        {"sub", 0},        {"run", 0700},     {"sub/run", 0700}, {"plain", 0600},
        {".hidden", 0700}, {"nph-run", 0700}, {"sub/.x", 0700},
};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static void make_files(void)
{
        assert(mkdtemp(folder) && chdir(folder) == 0);
        for (size_t i = 0; i < N_FILES; i++) {
                if (files[i].mode)
                        make_file(files[i].name, files[i].mode);
                else
                        assert(mkdir(files[i].name, 0700) == 0);
        }
        assert(symlink("/bin/sh", "outside") == 0 && symlink("sub/run", "inside") == 0);
        assert(mkfifo("pipe", 0700) == 0);
        settings.root = folder;
        assert(tree_open(&tree, folder) == 0);
}

static void remove_files(void)
{
        tree_close(&tree);
        assert(remove("outside") == 0 && remove("inside") == 0 && remove("pipe") == 0);
        for (size_t i = N_FILES; i > 0; i--)
                if (files[i - 1].mode)
                        assert(remove(files[i - 1].name) == 0);
        assert(rmdir("sub") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
}

static int find(const char *mount, const char *path, const char *file, const char *script,
                const char *extra)
{
        struct cgi_program program;
        struct arena arena = {0};
        int r = cgi_program_find(&program, &settings, &tree, mount, path, &arena);

        if (r == 0) {
                size_t size = strlen(folder);

                assert(file && strncmp(program.file, folder, size) == 0);
                assert(strcmp(program.file + size, file) == 0);
                assert(strcmp(program.script, script) == 0 && strcmp(program.extra, extra) == 0);
                size = strlen(program.directory);
                assert(strncmp(program.file, program.directory, size) == 0);
                assert(program.file[size] == '/' && !strchr(program.file + size + 1, '/'));
        }
        arena_free(&arena);
        return r;
}

static void test_found(void)
{
        assert(find("", "/run", "/run", "/run", "") == 0);
        assert(find("", "/run/", "/run", "/run", "/") == 0);
        assert(find("", "/run/a//b/.c", "/run", "/run", "/a//b/.c") == 0);
        assert(find("/m", "/m/sub/run/x", "/sub/run", "/m/sub/run", "/x") == 0);
        assert(find("/m", "/m/inside", "/inside", "/m/inside", "") == 0);
}

static void test_not_found(void)
{
        static const char *const paths[] = {
                "",        "/",     "/sub",     "/sub/", "/none",     "/.hidden",
                "/sub/.x", "//run", "/outside", "/pipe", "/sub//run",
        };

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
                assert(find("", paths[i], NULL, NULL, NULL) == 404);
        assert(find("/m", "/m", NULL, NULL, NULL) == 404);
        assert(find("", "/plain", NULL, NULL, NULL) == 403);
        assert(find("", "/nph-run/x", NULL, NULL, NULL) == 501);
}

static void test_interpreted(void)
{
        settings.interpreter = "/usr/bin/perl";
        assert(find("", "/plain", "/plain", "/plain", "") == 0);
        settings.interpreter = "";
}

static void test_one_program(void)
{
        const struct cgi_settings one = {.program = "/usr/lib/x", .root = "", .interpreter = ""};
        const struct cgi_settings top = {.program = "/x", .root = "", .interpreter = ""};
        struct cgi_program program;
        struct arena arena = {0};

        assert(cgi_program_find(&program, &one, NULL, "/git", "/git/a/b", &arena) == 0);
        assert(strcmp(program.file, "/usr/lib/x") == 0 && strcmp(program.script, "/git") == 0);
        assert(strcmp(program.directory, "/usr/lib") == 0 && strcmp(program.extra, "/a/b") == 0);
        assert(cgi_program_find(&program, &top, NULL, "/git", "/git", &arena) == 0);
        assert(strcmp(program.directory, "/") == 0 && strcmp(program.extra, "") == 0);
        arena_free(&arena);
}

int main(void)
{
        make_files();
        test_found();
        test_not_found();
        test_interpreted();
        test_one_program();
        remove_files();
        return 0;
}
