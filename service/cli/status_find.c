/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Candidates, newest first. A folder of somebody else's is none: what listens there could be
 * anything. */
#include "cli/status_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* As notify_listen() names a folder of its own. */
#define PREFIX "appsrv-"

/* A machine on which servers were killed by hand so often needs another tool. */
#define CANDIDATES_MAX 256

struct candidate {
        char name[NAME_MAX + 1];
        struct timespec made;
};

static bool newer(const struct timespec *a, const struct timespec *b)
{
        return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static int compare(const void *a, const void *b)
{
        const struct candidate *first = a, *second = b;

        return newer(&second->made, &first->made) - newer(&first->made, &second->made);
}

static bool is_ours(DIR *folder, const char *name, struct candidate *ret)
{
        struct stat status;

        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
            fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
                return false;
        (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
        ret->made = status.st_mtim;
        return true;
}

/* Return: their number, sorted. */
static size_t find_candidates(const char *path, struct candidate list[static CANDIDATES_MAX])
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        size_t n = 0;

        if (!folder)
                return 0;
        while (n < CANDIDATES_MAX && (entry = readdir(folder)))
                n += is_ours(folder, entry->d_name, &list[n]);
        (void)closedir(folder);
        qsort(list, n, sizeof(list[0]), compare);
        return n;
}

/* Nobody listens: there is no server, or it was killed and left its socket. */
static bool is_absence(int error)
{
        return error == -ENOENT || error == -ECONNREFUSED || error == -ENOTDIR;
}

struct search {
        struct seen *seen;
        char *path;
        int error; /* of the first one that is there; -ENOENT: none yet */
};

/* Return: whether the search is over. */
static bool try(struct search *search, const char *path)
{
        int r = status_look(&search->seen, path);

        if (r == 0 || (search->error == -ENOENT && !is_absence(r))) {
                (void)snprintf(search->path, STATUS_PATH_MAX, "%s", path);
                search->error = r;
        }
        return r == 0;
}

static bool try_folder(struct search *search, const char *folder)
{
        _cleanup_free_ struct candidate *list = calloc(CANDIDATES_MAX, sizeof(*list));
        char path[STATUS_PATH_MAX];
        size_t n = list ? find_candidates(folder, list) : 0;

        for (size_t i = 0; i < n; i++) {
                (void)snprintf(path, sizeof(path), "%s/%s/%s", folder, list[i].name, WINDOW_SOCKET);
                if (try(search, path))
                        return true;
        }
        return false;
}

int status_find(struct seen **ret, char path[static STATUS_PATH_MAX],
                const struct status_places *places)
{
        struct search search = {.path = path, .error = -ENOENT};
        bool found;

        path[0] = '\0';
        found = try(&search, places->installed);
        for (size_t i = 0; !found && i < places->n_folders; i++)
                found = try_folder(&search, places->folders[i]);
        if (found)
                *ret = search.seen;
        return search.error;
}
