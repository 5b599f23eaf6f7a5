/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handler runs in the thread that is asked, whatever that does: it uses what signal-safety(7)
 * allows, and backtrace(3), which crash.c has made ready. */
#include "worker/stacks.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX 64

/* write_native(), the handler and the kernel's trampoline that called it. */
#define FRAMES_OF_HANDLER 3

/* A signal handler is told nothing but the signal. */
static struct {
        int fds[STACK_KINDS];
        pid_t pid;
        _Atomic pid_t asked; /* the thread that has not told yet; 0: none */
        struct sigaction before;
} stacks = {.fds = {-1, -1}};

__attribute__((noinline)) static void write_native(void)
{
        void *frames[FRAMES_MAX];
        int n = backtrace(frames, FRAMES_MAX);

        if (n > FRAMES_OF_HANDLER)
                backtrace_symbols_fd(frames + FRAMES_OF_HANDLER, n - FRAMES_OF_HANDLER,
                                     stacks.fds[STACK_NATIVE]);
}

static void call_handler_before(int number, siginfo_t *info, void *context)
{
        if (stacks.before.sa_flags & SA_SIGINFO)
                stacks.before.sa_sigaction(number, info, context);
        else if (stacks.before.sa_handler != SIG_DFL && stacks.before.sa_handler != SIG_IGN)
                stacks.before.sa_handler(number);
}

static void on_ask(int number, siginfo_t *info, void *context)
{
        int error = errno;
        pid_t asked = getpid() == stacks.pid ? atomic_load(&stacks.asked) : 0;

        if (asked > 0 && asked == gettid())
                write_native();
        /* One that is too late must not mix its words with those of the next. */
        if (asked == 0 || asked == gettid())
                call_handler_before(number, info, context);
        if (asked > 0)
                (void)atomic_compare_exchange_strong(&stacks.asked, &(pid_t){gettid()}, 0);
        errno = error;
}

/* A worker that was forked from a template has a file of its own, where runtimes know it to be. */
static int open_one(int former)
{
        int fd = memfd_create("appsrv-stack", MFD_CLOEXEC);
        int r;

        if (fd < 0 || former < 0)
                return fd < 0 ? -errno : fd;
        r = dup3(fd, former, O_CLOEXEC) < 0 ? -errno : former;
        (void)close(fd);
        return r;
}

int stacks_open(void)
{
        for (int kind = 0; kind < STACK_KINDS; kind++) {
                int fd = open_one(stacks.fds[kind]);

                if (fd < 0)
                        return fd;
                stacks.fds[kind] = fd;
        }
        stacks.pid = getpid();
        return stacks.fds[STACK_RUNTIME];
}

int stacks_watch(void)
{
        struct sigaction action = {.sa_sigaction = on_ask,
                                   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

        (void)sigemptyset(&action.sa_mask);
        return sigaction(SIGURG, &action, &stacks.before) < 0 ? -errno : 0;
}

bool stacks_ask(pid_t thread)
{
        for (int kind = 0; kind < STACK_KINDS; kind++)
                if (ftruncate(stacks.fds[kind], 0) < 0 || lseek(stacks.fds[kind], 0, SEEK_SET) < 0)
                        return false;
        atomic_store(&stacks.asked, thread);
        return tgkill(getpid(), thread, SIGURG) == 0;
}

bool stacks_told(void)
{
        return atomic_load(&stacks.asked) == 0;
}

size_t stacks_read(enum stack_kind kind, char *text, size_t room)
{
        ssize_t size = pread(stacks.fds[kind], text, room - 1, 0);

        if (size < 0)
                size = 0;
        while (size > 0 && text[size - 1] == '\n')
                size--;
        text[size] = '\0';
        return (size_t)size;
}
