/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First steps: a child sheds what belongs to the master and takes on what makes it a worker, or a
 * template. */
#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "template/template.h"
#include "worker/birth.h"

/* The unit has 100 for the master; so the kernel takes a worker first when memory runs out. */
#define OOM_SCORE_ADJUST "300"

int spawn_block_signals(void)
{
        sigset_t set;

        (void)signal(SIGPIPE, SIG_IGN);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGQUIT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGTTIN);
        (void)sigaddset(&set, SIGTTOU);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigaddset(&set, SIGUSR2);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static void reset_signals(void)
{
        sigset_t none;

        (void)sigemptyset(&none);
        (void)signal(SIGPIPE, SIG_DFL);
        /* They are for the master; who sends them to all must not stop or end the workers. */
        (void)signal(SIGTTIN, SIG_IGN);
        (void)signal(SIGTTOU, SIG_IGN);
        (void)signal(SIGUSR1, SIG_IGN);
        (void)signal(SIGUSR2, SIG_IGN);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_descriptors(const void *a, const void *b)
{
        const int *first = a, *second = b;

        return (*first > *second) - (*first < *second);
}

/* The loop, the notify socket and the pidfds of the master must not live on in a worker. */
static int close_all_but(const int *keep, size_t n)
{
        unsigned from = STDERR_FILENO + 1;
        _cleanup_free_ int *sorted = calloc(n + 1, sizeof(*sorted));

        if (!sorted)
                return -ENOMEM;
        memcpy(sorted, keep, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_descriptors);
        for (size_t i = 0; i < n; i++) {
                if (sorted[i] < (int)from)
                        continue; /* none, or it stands in for a standard stream */
                if ((unsigned)sorted[i] > from && close_range(from, (unsigned)sorted[i] - 1, 0) < 0)
                        return -errno;
                from = (unsigned)sorted[i] + 1;
        }
        return close_range(from, ~0U, 0) < 0 ? -errno : 0;
}

/* Raising one's own score needs no privilege. */
static void raise_oom_score(void)
{
        _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, OOM_SCORE_ADJUST, strlen(OOM_SCORE_ADJUST)) < 0)
                return; /* then the kernel chooses by size alone */
}

/* sd_notify(3) in an application must reach the master and never systemd, which takes only the main
 * process's word. A library that finds a watchdog in the environment feeds it from a thread of its
 * own; here only the worker's loop may. */
static int set_environment(const struct worker_options *options)
{
        static const char *const masters[] = {"WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID",
                                              "LISTEN_FDS", "LISTEN_FDNAMES"};

        for (size_t i = 0; i < sizeof(masters) / sizeof(masters[0]); i++)
                (void)unsetenv(masters[i]);
        return setenv("NOTIFY_SOCKET", options->notify_path, 1) < 0 ? -errno : 0;
}

/* Everything else of the master's is closed. @orders: -1, or of a template. */
static int keep_descriptors(const struct worker_options *options, int orders)
{
        const int own[] = {options->box->fd, options->console, options->printed[0],
                           options->printed[1], orders};
        const size_t n_own = sizeof(own) / sizeof(own[0]);
        _cleanup_free_ int *keep = calloc(options->n_endpoints + n_own, sizeof(*keep));

        if (!keep)
                return -ENOMEM;
        memcpy(keep, own, sizeof(own));
        for (size_t i = 0; i < options->n_endpoints; i++)
                keep[n_own + i] = options->endpoints[i].fd;
        return close_all_but(keep, options->n_endpoints + n_own);
}

/* Return: EXIT_CODE_OK, or an exit_code to end with. */
static int shed_master(const struct worker_options *options, const char *name,
                       const int prints[static 2], struct log *master_log, int orders)
{
        reset_signals();
        /* Where the master was faster, it is dead already. */
        if (birth(options->master, name, prints) < 0)
                return EXIT_CODE_BUG;
        log_abandon(master_log);
        if (keep_descriptors(options, orders) < 0 || set_environment(options) < 0)
                return EXIT_CODE_BUG;
        raise_oom_score();
        return EXIT_CODE_OK;
}

static int become_worker(const struct worker_options *options, const int prints[static 2],
                         struct log *master_log)
{
        char name[16];
        int code;

        (void)snprintf(name, sizeof(name), "appsrv-w%u", options->subject.worker_id);
        code = shed_master(options, name, prints, master_log, -1);
        return code == EXIT_CODE_OK ? worker_run(options) : code;
}

static int become_template(const struct worker_options *options, const int prints[static 2],
                           struct log *master_log, int orders)
{
        int code = shed_master(options, "appsrv-template", prints, master_log, orders);

        return code == EXIT_CODE_OK ? template_run(options, orders) : code;
}

pid_t spawn_worker(const struct worker_options *options, const int prints[static 2],
                   struct log *master_log)
{
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(become_worker(options, prints, master_log));
        return pid;
}

pid_t spawn_template(const struct worker_options *options, const int prints[static 2],
                     struct log *master_log, int orders)
{
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(become_template(options, prints, master_log, orders));
        return pid;
}
