/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handler of fatal signals. It may run in any thread, with any lock held and the heap in ruins,
 * so it uses what signal-safety(7) allows, and backtrace(3), which neither allocates nor locks once
 * libgcc is loaded.
 */
#include "worker/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FRAMES_MAX 64

/* write_stack(), the handler and the kernel's trampoline that called it. */
#define FRAMES_OF_HANDLER 3

/* The unwinder needs some 10 KiB. */
#define GUARD_SIZE ((size_t)64 << 10)

/* A handler that hangs on ruins must not keep a dead worker's place. */
#define PATIENCE_SEC 3

/* The sanitizers have handlers of their own, whose reports say more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* A signal handler is told nothing but the signal. */
static struct {
        struct box_crash *crash;
        pid_t pid;
        int stack_fd; /* its offset is where the stack goes; the size of the file ends it */
        atomic_bool busy;
        _Atomic pid_t about; /* the thread that signals from outside are about; 0: any */
} box_of_process;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

#define N_FATAL (sizeof(fatal) / sizeof(fatal[0]))

__attribute__((noinline)) static void write_stack(void)
{
        void *frames[FRAMES_MAX];
        int n = backtrace(frames, FRAMES_MAX);

        if (n > FRAMES_OF_HANDLER)
                backtrace_symbols_fd(frames + FRAMES_OF_HANDLER, n - FRAMES_OF_HANDLER,
                                     box_of_process.stack_fd);
}

/* The kernel gives a signal of another process to any thread, the main one if it can. Return:
 * whether it was passed on. */
static bool pass_on(int number, const siginfo_t *info)
{
        pid_t about, now = atomic_load(&box_of_process.about);

        if (info->si_code != SI_USER && info->si_code != SI_QUEUE)
                return false;
        /* The one that was told may have handed over meanwhile, and take the signal to its end. */
        do {
                about = now;
                if (about == 0 || about == gettid() || tgkill(getpid(), about, number) < 0)
                        return false;
                now = atomic_load(&box_of_process.about);
        } while (now != about);
        return true;
}

/* As if there were no handler: pending until the handler returns to the place that was hit, which
 * the core then shows. */
static void die_of(int number)
{
        (void)signal(number, SIG_DFL);
        (void)raise(number);
}

static void on_fatal(int number, siginfo_t *info, void *context)
{
        struct box_crash *crash = box_of_process.crash;

        (void)context;
        /* A child that an application forked shares the box, and its end is not the worker's. */
        if (getpid() != box_of_process.pid) {
                die_of(number);
                return;
        }
        if (pass_on(number, info))
                return;
        /* A second thread that is hit waits for the first one to end the process. */
        while (atomic_exchange(&box_of_process.busy, true))
                (void)pause();
        (void)signal(SIGALRM, SIG_DFL);
        (void)alarm(PATIENCE_SEC);
        /* SI_USER and SI_QUEUE have no address, but that is where the sender's pid is. */
        if (info->si_code > 0)
                atomic_store(&crash->address, (uint64_t)(uintptr_t)info->si_addr);
        atomic_store(&crash->thread, gettid());
        atomic_store(&crash->signal, number);
        write_stack();
        die_of(number);
}

/* An offset of its own: the master's and those of other workers are others. */
static int open_stack(const struct box *box)
{
        _cleanup_close_ int fd = -1;
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", box->fd);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (lseek(fd, (off_t)(box->size - BOX_STACK_SIZE), SEEK_SET) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int take_signals(void)
{
        struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

        /* One that is passed on to the thread that was hit must not make it wait for itself. */
        (void)sigemptyset(&action.sa_mask);
        for (size_t i = 0; i < N_FATAL; i++)
                (void)sigaddset(&action.sa_mask, fatal[i]);
        for (size_t i = 0; !SANITIZED && i < N_FATAL; i++)
                if (sigaction(fatal[i], &action, NULL) < 0)
                        return -errno;
        return 0;
}

int crash_watch(struct box *box)
{
        bool inherited = box_of_process.crash != NULL;
        void *frame;
        int fd = open_stack(box);

        if (fd < 0)
                return fd;
        if (inherited)
                (void)close(box_of_process.stack_fd);
        /* Loads libgcc. */
        (void)backtrace(&frame, 1);
        box_of_process.crash = &box->header->crash;
        box_of_process.stack_fd = fd;
        box_of_process.pid = getpid();
        /* Of a template's signals a runtime may have taken hold meanwhile, and calls us. */
        return inherited ? 0 : take_signals();
}

void crash_about_me(void)
{
        atomic_store(&box_of_process.about, gettid());
}

void *crash_guard_thread(void)
{
        stack_t stack = {.ss_sp = malloc(GUARD_SIZE), .ss_size = GUARD_SIZE};

        if (stack.ss_sp && sigaltstack(&stack, NULL) < 0) {
                free(stack.ss_sp);
                return NULL;
        }
        return stack.ss_sp;
}

void crash_unguard_thread(void *guard)
{
        const stack_t none = {.ss_flags = SS_DISABLE};

        (void)sigaltstack(&none, NULL);
        free(guard);
}
