/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files below a folder, both ways: with openat2() and, as on a kernel without it, walked. */
#include "app/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-app-tree-XXXXXX";

static void write_file(const char *name, const char *text)
{
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        assert(close(fd) == 0);
}

static void make_files(void)
{
        assert(mkdtemp(folder) && chdir(folder) == 0);
        assert(mkdir("root", 0700) == 0 && mkdir("root/sub", 0700) == 0);
        write_file("secret", "secret");
        write_file("root/a", "a");
        write_file("root/sub/b", "b");
        assert(symlink("sub/b", "root/inside") == 0);
        assert(symlink("sub", "root/inside-folder") == 0);
        assert(symlink("../secret", "root/outside") == 0);
        assert(symlink("/etc", "root/absolute") == 0);
        assert(symlink("loop", "root/loop") == 0);
        assert(symlink("/proc/self/root", "root/magic") == 0);
        assert(mkfifo("root/pipe", 0600) == 0);
}

static void remove_files(void)
{
        static const char *const names[] = {
                "root/a",       "root/sub/b",    "root/sub",  "root/inside", "root/inside-folder",
                "root/outside", "root/absolute", "root/loop", "root/magic",  "root/pipe",
                "root",         "secret",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert(remove(names[i]) == 0);
        assert(chdir("/") == 0 && rmdir(folder) == 0);
}

/* The error, or 0 when the file could be opened and has the text; @text NULL: whatever it has. */
static int result(const struct tree *tree, const char *path, int flags, const char *text)
{
        int fd = tree_file(tree, path, flags);
        char content[8] = {0};

        if (fd < 0)
                return fd;
        assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert(!text ||
               (read(fd, content, sizeof(content) - 1) >= 0 && strcmp(content, text) == 0));
        assert(close(fd) == 0);
        return 0;
}

static void check_either_way(const struct tree *tree)
{
        assert(result(tree, "a", O_RDONLY, "a") == 0);
        assert(result(tree, "sub/b", O_RDONLY, "b") == 0);
        assert(result(tree, ".", O_RDONLY | O_DIRECTORY, NULL) == 0);
        assert(result(tree, "sub", O_PATH, NULL) == 0);
        assert(result(tree, "./a", O_RDONLY, "a") == 0);
        assert(result(tree, "pipe", O_RDONLY, NULL) == 0); /* and does not wait for a writer */
        assert(result(tree, "missing", O_RDONLY, NULL) == -ENOENT);
        assert(result(tree, "a/b", O_RDONLY, NULL) == -ENOTDIR);
        assert(result(tree, "sub/missing", O_RDONLY, NULL) == -ENOENT);
        assert(result(tree, "..", O_PATH, NULL) == -EXDEV);
        assert(result(tree, "../secret", O_RDONLY, NULL) == -EXDEV);
        assert(result(tree, "sub/../../secret", O_RDONLY, NULL) == -EXDEV);
        assert(result(tree, "outside", O_RDONLY, NULL) < 0);
        assert(result(tree, "absolute", O_RDONLY, NULL) < 0);
        assert(result(tree, "absolute/passwd", O_RDONLY, NULL) < 0);
        assert(result(tree, "outside", O_PATH, NULL) < 0);
        assert(result(tree, "loop", O_PATH, NULL) == -ELOOP);
        assert(result(tree, "magic/etc/passwd", O_RDONLY, NULL) < 0);
}

static void test_kernel_keeps_paths_below_the_folder(void)
{
        struct tree tree;

        assert(tree_open(&tree, "root") == 0);
        if (!tree.walk) {
                check_either_way(&tree);
                assert(result(&tree, "inside", O_RDONLY, "b") == 0);
                assert(result(&tree, "inside-folder/b", O_RDONLY, "b") == 0);
                assert(result(&tree, "outside", O_RDONLY, NULL) == -EXDEV);
        }
        tree_close(&tree);
}

static void test_without_the_kernel_no_link_is_followed(void)
{
        char name[300] = {0};
        struct tree tree;

        assert(tree_open(&tree, "root") == 0);
        tree.walk = true;
        check_either_way(&tree);
        assert(result(&tree, "inside", O_RDONLY, NULL) == -ELOOP);
        assert(result(&tree, "inside", O_PATH, NULL) == -ELOOP);
        assert(result(&tree, "inside-folder/b", O_RDONLY, NULL) == -ENOTDIR);
        memset(name, 'n', sizeof(name) - 1);
        assert(result(&tree, name, O_RDONLY, NULL) == -ENAMETOOLONG);
        tree_close(&tree);
}

static void test_root_must_be_a_folder(void)
{
        struct tree tree = {.root = -1};

        assert(tree_open(&tree, "missing") == -ENOENT);
        assert(tree_open(&tree, "secret") == -ENOTDIR);
        tree_close(&tree);
        assert(tree.root == -1);
}

int main(void)
{
        make_files();
        test_kernel_keeps_paths_below_the_folder();
        test_without_the_kernel_no_link_is_followed();
        test_root_must_be_a_folder();
        remove_files();
        return 0;
}
