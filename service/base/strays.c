/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marks are read with prlimit(2): a system call each, where a control group would need delegation.
 */
#include "base/strays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

/* One that the kernel cannot end (a disk that does not answer) is not waited for. */
#define ROUNDS     50
#define ROUND_NSEC 1000000L

static rlim_t own_limit(void)
{
        struct rlimit limit;

        return getrlimit(RLIMIT_LOCKS, &limit) == 0 ? limit.rlim_max : 0;
}

/* Whose descendant it is. 0: of none, or it is another user's; -ESRCH: it is gone. */
static pid_t mark_of(pid_t pid, rlim_t own)
{
        struct rlimit limit;

        if (prlimit(pid, RLIMIT_LOCKS, NULL, &limit) < 0)
                return errno == ESRCH ? -ESRCH : 0;
        if (limit.rlim_max >= own || own - limit.rlim_max > INT_MAX)
                return 0;
        return (pid_t)(own - limit.rlim_max);
}

int strays_watch(pid_t reaper)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", reaper, reaper);
        return open(path, O_RDONLY | O_CLOEXEC);
}

/* Whoever lost its parent is the reaper's child before that can be waited for, and those behind it
 * are found through it. */
bool strays_seen(int watch, pid_t pid)
{
        rlim_t own = own_limit();
        char text[1024];
        pid_t child = 0;
        off_t at = 0;
        ssize_t n;

        while ((n = pread(watch, text, sizeof(text), at)) > 0) {
                for (ssize_t i = 0; i < n; i++) {
                        if (text[i] >= '0' && text[i] <= '9') {
                                child = child * 10 + (text[i] - '0');
                                continue;
                        }
                        if (child > 0 && mark_of(child, own) == pid)
                                return true;
                        child = 0;
                }
                at += n;
        }
        return n < 0;
}

static bool is_dead(pid_t pid)
{
        char path[32], text[512];
        _cleanup_close_ int fd = -1;
        const char *state;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return true;
        text[n] = '\0';
        state = strrchr(text, ')');
        return !state || strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0;
}

static bool is_one_of(pid_t pid, const pid_t *pids, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

/* Looked at again when it is held: its number may have become another's. */
static void kill_held(pid_t pid, rlim_t own, pid_t mark)
{
        _cleanup_close_ int fd = pidfd_open(pid, 0);

        if (fd >= 0 && mark_of(pid, own) == mark)
                (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
}

/* What a look at all processes has shown. */
struct round {
        unsigned open; /* descendants that lived, and processes that were gone when looked at */
        uint64_t dead; /* sum of the pids of descendants that had ended */
};

static void look_at(struct round *round, pid_t pid, rlim_t own, const pid_t *pids, size_t n)
{
        pid_t mark = mark_of(pid, own);

        if (mark < 0)
                round->open++;
        if (mark <= 0 || !is_one_of(mark, pids, n))
                return;
        if (is_dead(pid)) {
                round->dead += (uint64_t)pid;
                return;
        }
        kill_held(pid, own, mark);
        round->open++;
}

static struct round look_around(const pid_t *pids, size_t n)
{
        struct round round = {0};
        rlim_t own = own_limit();
        DIR *folder = opendir("/proc");
        const struct dirent *entry;

        while (folder && (entry = readdir(folder))) {
                uint64_t pid;

                if (parse_number(entry->d_name, &pid) == 0)
                        look_at(&round, (pid_t)pid, own, pids, n);
        }
        if (folder)
                (void)closedir(folder);
        return round;
}

/* Whoever was there when the list was made, and has ended since, may have forked in between. */
void strays_kill(const pid_t *pids, size_t n)
{
        const struct timespec pause = {.tv_nsec = ROUND_NSEC};
        struct round before, now = {0};

        for (unsigned i = 0; i < ROUNDS; i++) {
                before = now;
                now = look_around(pids, n);
                if (now.open == 0 && now.dead == before.dead)
                        return;
                (void)nanosleep(&pause, NULL);
        }
}
