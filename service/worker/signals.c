/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signals that a worker is sent.
 *
 * Handled, neither blocked nor ignored: both last beyond exec(), and a program that an application
 * starts could not be ended with SIGTERM. The kernel gives them to the main thread, whose loop
 * expects interruptions; application threads have their system calls in peace.
 */
#include "worker/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* From SIGTTIN on they are the master's, and must not stop or end who is sent them along with it;
 * an application may take the last two for itself. */
static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

/* A signal handler is told nothing but the signal. */
static struct {
        pid_t pid;
        int fd;
} worker;

/* A child that an application forked has the handlers, too: it does what any process does. */
static void on_signal(int number)
{
        int saved = errno;

        if (getpid() != worker.pid) {
                (void)signal(number, SIG_DFL);
                (void)raise(number);
        } else if (number == SIGTERM) {
                (void)eventfd_write(worker.fd, 1);
        }
        errno = saved;
}

int signals_take(void)
{
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0)
                return -errno;
        worker.pid = getpid();
        worker.fd = fd;
        (void)sigemptyset(&action.sa_mask);
        (void)signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
                (void)sigaction(handled[i], &action, NULL);
        return fd;
}
