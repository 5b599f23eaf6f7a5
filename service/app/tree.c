/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files below a folder: openat2() where the kernel has it and no sandbox takes it away, else the
 * path is walked. Any thread.
 */
#include "app/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

/* openat2() gives EAGAIN when a rename somewhere kept it from being sure; it says to try again. */
#define ATTEMPTS_MAX 16

static int open_beneath(int root, const char *path, int flags)
{
        const struct open_how how = {
                .flags = (unsigned)flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };

        for (int i = 0; i < ATTEMPTS_MAX; i++) {
                long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

                if (fd >= 0)
                        return (int)fd;
                if (errno != EAGAIN && errno != EINTR)
                        break;
        }
        return -errno;
}

/* With O_PATH a link is opened itself rather than refused. */
static int refuse_link(int fd)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        return S_ISLNK(status.st_mode) ? -ELOOP : 0;
}

static int open_segment(int folder, const char *name, int flags)
{
        int fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = strcmp(name, "..") == 0 ? -EXDEV : refuse_link(fd);
        if (r == 0)
                return fd;
        (void)close(fd);
        return r;
}

/* One segment after the other, so that each can be looked at before it is gone through. */
static int walk(int root, const char *path, int flags)
{
        _cleanup_close_ int folder = -1;
        char name[NAME_MAX + 1];

        for (;;) {
                size_t size = strcspn(path, "/");
                bool last = path[size] == '\0';
                int fd;

                if (size > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(name, path, size);
                name[size] = '\0';
                fd = open_segment(folder < 0 ? root : folder, name,
                                  last ? flags : O_PATH | O_DIRECTORY);
                if (fd < 0 || last)
                        return fd;
                close_descriptor(&folder);
                folder = fd;
                path += size + 1;
        }
}

int tree_file(const struct tree *tree, const char *path, int flags)
{
        flags |= O_CLOEXEC;
        if (!(flags & O_PATH)) /* O_PATH opens nothing that could block, and openat2() is strict */
                flags |= O_NONBLOCK | O_NOCTTY;
        return tree->walk ? walk(tree->root, path, flags) : open_beneath(tree->root, path, flags);
}

int tree_open(struct tree *ret, const char *root)
{
        struct tree tree = {.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)};
        int fd;

        if (tree.root < 0)
                return -errno;
        fd = tree_file(&tree, ".", O_PATH | O_DIRECTORY);
        if (fd >= 0)
                (void)close(fd);
        /* Linux below 5.6; sandboxes that do not know the call answer EPERM. */
        tree.walk = fd == -ENOSYS || fd == -EPERM;
        *ret = tree;
        return 0;
}

void tree_close(struct tree *tree)
{
        if (tree->root >= 0)
                (void)close(tree->root);
        tree->root = -1;
}
