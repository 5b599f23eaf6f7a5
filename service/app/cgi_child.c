/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone() as vfork() does it, on a stack of its own: the memory of a worker is not copied, however
 * large it is. The thread that calls waits until the child has executed its program; others do not.
 * In between the child shares all memory, so it does system calls and nothing else.
 */
#include "app/cgi_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strays.h"

#define EXIT_NOT_EXECUTED 127

/* What sanitizers keep of a stack is the worker's. */
#define RUNS_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

/* What clone() hands to the child. */
struct start {
        const struct cgi_command *command;
        pid_t parent;
        int error;
};

/* Handlers end with exec() by themselves, what is ignored would not; and in between a handler must
 * not run in memory that is the worker's. */
RUNS_IN_CHILD static void reset_signals(void)
{
        const struct sigaction usual = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int number = 1; number < NSIG; number++)
                (void)sigaction(number, &usual, NULL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Linux below 5.9 does not know close_range(). */
RUNS_IN_CHILD static void close_others(void)
{
        struct rlimit limit;

        if (syscall(SYS_close_range, 3U, UINT_MAX, 0U) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        for (rlim_t fd = 3; fd < limit.rlim_cur; fd++)
                (void)close((int)fd);
}

/* The hard limit too, so that no program takes it back. */
RUNS_IN_CHILD static int limit(__rlimit_resource_t resource, uint64_t value)
{
        struct rlimit now;

        if (value == 0)
                return 0;
        if (getrlimit(resource, &now) < 0)
                return -errno;
        now.rlim_max = value < now.rlim_max ? value : now.rlim_max;
        now.rlim_cur = now.rlim_max;
        return setrlimit(resource, &now) < 0 ? -errno : 0;
}

RUNS_IN_CHILD static int set_limits(const struct cgi_settings *settings)
{
        int r = limit(RLIMIT_AS, settings->limit_memory);

        if (r == 0)
                r = limit(RLIMIT_CPU, settings->limit_cpu);
        if (r == 0)
                r = limit(RLIMIT_NOFILE, settings->limit_files);
        return r == 0 ? limit(RLIMIT_FSIZE, settings->limit_file_size) : r;
}

RUNS_IN_CHILD static int mark(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_LOCKS, &limit) < 0)
                return -errno;
        limit.rlim_cur = limit.rlim_max = strays_mark(limit.rlim_max, getpid());
        return setrlimit(RLIMIT_LOCKS, &limit) < 0 ? -errno : 0;
}

RUNS_IN_CHILD static int prepare(const struct start *start)
{
        const struct cgi_command *command = start->command;
        int r;

        if ((command->session ? setsid() : setpgid(0, 0)) < 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        if (getppid() != start->parent)
                return -ECHILD; /* died before that */
        if (command->noted)
                atomic_store(command->noted, getpid());
        for (int fd = 0; fd < 3; fd++)
                if (dup2(command->streams[fd], fd) < 0)
                        return -errno;
        close_others();
        if (chdir(command->directory) < 0)
                return -errno;
        r = mark();
        return r == 0 ? set_limits(command->settings) : r;
}

RUNS_IN_CHILD static int run_child(void *data)
{
        struct start *start = data;
        int r = prepare(start);

        if (r == 0) {
                reset_signals();
                (void)execve(start->command->file, start->command->arguments,
                             start->command->variables);
                r = -errno;
        }
        start->error = r;
        _exit(EXIT_NOT_EXECUTED);
}

/* A kernel or a debugger that does not know CLONE_PIDFD leaves it alone. */
static int descriptor_of(pid_t pid, int given)
{
        int fd = given >= 0 ? given : (int)syscall(SYS_pidfd_open, pid, 0U);

        return fd < 0 ? -errno : fd;
}

int cgi_child_start(struct cgi_child *ret, const struct cgi_command *command, void *stack)
{
        struct start start = {.command = command, .parent = getpid()};
        struct cgi_child child = {.fd = -1, .watch = command->watch};
        sigset_t all, before;
        int given = -1, error;

        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        child.pid = clone(run_child, (char *)stack + CGI_STACK_SIZE,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &given);
        error = errno;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (child.pid < 0)
                return -error;
        child.fd = descriptor_of(child.pid, given);
        if (start.error != 0) { /* it never ran */
                if (command->noted)
                        atomic_store(command->noted, 0);
                (void)cgi_child_reap(&child, true, true);
                return start.error;
        }
        if (child.fd < 0) {
                error = child.fd;
                (void)cgi_child_reap(&child, false, false);
                return error;
        }
        *ret = child;
        return 0;
}

/* A program may have gone to another group of its own. */
void cgi_child_signal(const struct cgi_child *child, int number)
{
        (void)kill(-child->pid, number);
        if (getpgid(child->pid) != child->pid)
                (void)kill(child->pid, number);
}

/* As long as it is not waited for its number is nobody else's, so the group and the mark are its
 * own. Once it has ended it forks no more. */
int cgi_child_reap(struct cgi_child *child, bool ended, bool spared)
{
        bool strays = !ended || (!spared && strays_seen(child->watch, child->pid));
        siginfo_t info;
        int status = 0;

        if (!ended) {
                cgi_child_signal(child, SIGKILL);
                while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) < 0 &&
                       errno == EINTR)
                        ;
        }
        cgi_child_signal(child, SIGKILL);
        if (strays)
                strays_kill(&child->pid, 1);
        while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (child->fd >= 0)
                (void)close(child->fd);
        child->fd = -1;
        return status;
}
