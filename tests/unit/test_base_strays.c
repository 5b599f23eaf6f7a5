/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/strays.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int watch;

static void mark(void)
{
        struct rlimit limit;

        assert(getrlimit(RLIMIT_LOCKS, &limit) == 0);
        limit.rlim_cur = limit.rlim_max = strays_mark(limit.rlim_max, getpid());
        assert(setrlimit(RLIMIT_LOCKS, &limit) == 0);
}

/* A process that waits for its end, in a session of its own; its parent ends at once when
 * @orphaned. Return: its pid, told by a pipe. */
static pid_t leave_behind(int told, bool orphaned)
{
        pid_t child = fork(), self;

        assert(child >= 0);
        if (child > 0)
                return child;
        if (orphaned && fork() != 0)
                _exit(0);
        (void)setsid();
        (void)signal(SIGTERM, SIG_IGN);
        self = getpid();
        assert(write(told, &self, sizeof(self)) == sizeof(self));
        for (;;)
                (void)pause();
}

/* A process that marks itself, leaves one behind and ends. Return: its pid; it is not waited for.
 */
static pid_t run(pid_t *ret_left)
{
        int told[2];
        siginfo_t info;
        pid_t pid;

        assert(pipe(told) == 0);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                mark();
                (void)waitpid(leave_behind(told[1], true), NULL, 0);
                _exit(0);
        }
        assert(read(told[0], ret_left, sizeof(*ret_left)) == sizeof(*ret_left));
        assert(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
        (void)close(told[0]);
        (void)close(told[1]);
        return pid;
}

static bool lives(pid_t pid)
{
        siginfo_t info = {0};

        return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == 0;
}

static void test_descendants_are_seen_and_killed_and_no_others(void)
{
        pid_t left, others, own;
        pid_t first = run(&left), second = run(&others);
        int told[2], status;

        assert(pipe(told) == 0);
        own = leave_behind(told[1], false);

        assert(strays_seen(watch, first) && strays_seen(watch, second));
        strays_kill(&first, 1);
        assert(waitpid(left, &status, 0) == left && WTERMSIG(status) == SIGKILL);
        assert(waitpid(first, &status, 0) == first);
        assert(!strays_seen(watch, first) && strays_seen(watch, second));
        assert(lives(others) && lives(own));

        strays_kill((const pid_t[]){first, second}, 2);
        assert(waitpid(others, &status, 0) == others && WTERMSIG(status) == SIGKILL);
        assert(lives(own));

        assert(kill(own, SIGKILL) == 0);
        while (wait(NULL) > 0)
                ;
        (void)close(told[0]);
        (void)close(told[1]);
}

static void test_without_a_watch_they_may_have_stayed(void)
{
        assert(strays_seen(-1, getpid()));
        assert(strays_watch(-1) < 0);
}

static void test_there_is_no_mark_below_a_limit_that_is_too_low(void)
{
        assert(strays_mark(RLIM_INFINITY, 5) == RLIM_INFINITY - 5);
        assert(strays_mark(5, 5) == 5 && strays_mark(6, 5) == 1 && strays_mark(0, 5) == 0);
}

int main(void)
{
        assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        watch = strays_watch(getpid());
        assert(watch >= 0);
        test_descendants_are_seen_and_killed_and_no_others();
        test_without_a_watch_they_may_have_stayed();
        test_there_is_no_mark_below_a_limit_that_is_too_low();
        (void)close(watch);
        return 0;
}
