/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A path is followed segment by segment until it meets a file: that is the program.
 *
 * It is started by its name: between the look and the start it may be replaced, but only by who may
 * put programs there anyway.
 */
#include "app/cgi_program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

bool cgi_program_is_nph(const char *file)
{
        const char *slash = strrchr(file, '/');

        return strncmp(slash ? slash + 1 : file, "nph-", 4) == 0;
}

/* @a and the first @size bytes of @b. */
static char *join(struct arena *arena, const char *a, const char *b, size_t size)
{
        size_t before = strlen(a);
        char *joined = arena_alloc(arena, before + size + 1);

        if (!joined)
                return NULL;
        memcpy(joined, a, before);
        memcpy(joined + before, b, size);
        return joined;
}

static int set_directory(struct cgi_program *program, struct arena *arena)
{
        const char *slash = strrchr(program->file, '/');

        program->directory = slash == program->file ? "/"
                                                    : arena_copy(arena, program->file,
                                                                 (size_t)(slash - program->file));
        return program->directory ? 0 : -ENOMEM;
}

/* What openat2() says of names that a client made up. */
static int status_of(int error)
{
        switch (error) {
        case -EACCES:
        case -EPERM:
                return 403;
        case -ENOENT:
        case -ENOTDIR:
        case -ELOOP:
        case -EXDEV:
        case -ENAMETOOLONG:
                return 404;
        default:
                return error;
        }
}

/* What is at a path: 0 for a folder, 1 for a program, else a status or a negative errno. */
static int look_at(const struct tree *tree, const char *path, bool interpreted)
{
        _cleanup_close_ int fd = tree_file(tree, path, O_PATH);
        struct stat status;

        if (fd < 0)
                return status_of(fd);
        if (fstat(fd, &status) < 0)
                return -errno;
        if (S_ISDIR(status.st_mode))
                return 0;
        if (!S_ISREG(status.st_mode))
                return 404;
        if (cgi_program_is_nph(path))
                return 501;
        return interpreted || (status.st_mode & 0111) ? 1 : 403;
}

/*
 * Where the program ends in a path that begins with a slash. A segment that begins with a dot was
 * not meant to be seen, an empty one would be a second name of the same file; behind the program
 * both are its own.
 */
static int find_end(const struct tree *tree, const char *path, bool interpreted,
                    struct arena *arena, size_t *ret)
{
        size_t end = 0;
        int r = 0;

        while (r == 0) {
                char *name;

                if (path[end] == '\0' || path[end + 1] == '\0' || path[end + 1] == '.' ||
                    path[end + 1] == '/')
                        return 404;
                end += 1 + strcspn(path + end + 1, "/");
                name = arena_copy(arena, path + 1, end - 1);
                if (!name)
                        return -ENOMEM;
                r = look_at(tree, name, interpreted);
        }
        *ret = end;
        return r == 1 ? 0 : r;
}

int cgi_program_find(struct cgi_program *ret, const struct cgi_settings *settings,
                     const struct tree *tree, const char *mount, const char *path,
                     struct arena *arena)
{
        const char *below = path + strlen(mount);
        struct cgi_program program = {.file = settings->program, .script = mount, .extra = below};
        size_t end;
        int r;

        if (*settings->root) {
                r = find_end(tree, below, *settings->interpreter != '\0', arena, &end);
                if (r != 0)
                        return r;
                program.file = join(arena, settings->root, below, end);
                program.script = join(arena, mount, below, end);
                program.extra = below + end;
                if (!program.file || !program.script)
                        return -ENOMEM;
        }
        r = set_directory(&program, arena);
        if (r == 0)
                *ret = program;
        return r;
}
