/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv check`: validate the configuration and load every application, each in a process of its
 * own. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log/log.h"
#include "master/cpus.h"
#include "master/master.h"
#include "master/scale.h"
#include "master/setup.h"
#include "worker/worker.h"

/* How long the stop of an application, or the end of one that hangs, is waited for. */
#define END_MSEC 2000

enum verdict {
        VERDICT_NONE, /* it did not get so far */
        VERDICT_LOADED,
        VERDICT_TOLD, /* why it cannot be loaded */
        VERDICT_LATE,
};

/* A plug-in's application is what start() loads; one that is native may do there what only the
 * service shall do. */
static int start(const struct app_config *config, struct app *app, struct problems *problems)
{
        int r = app_is_plugin(app) ? app_start(app) : 0;

        if (r < 0)
                return problems_add(problems, app_refusal_origin(app), "[app %s] %s", config->name,
                                    *app_refusal(app) ? app_refusal(app) : strerror(-r));
        return 0;
}

static void say(int fd, enum verdict verdict)
{
        char byte = (char)verdict;

        (void)!write(fd, &byte, sizeof(byte));
}

static void stop(struct app *app, int fd)
{
        say(fd, VERDICT_LOADED);
        if (app_is_plugin(app))
                app_stop(app);
}

/* In a child: what the application does while it is loaded, a crash included, must not end the
 * check of the others. */
static int load_app(const struct config *whole, const struct app_config *config, int fd)
{
        const struct log_options options = {.target = LOG_TARGET_CONSOLE,
                                            .console = STDERR_FILENO,
                                            .level = 6,
                                            .buffer_size = 65536};
        const struct scale_bounds bounds =
                scale_bounds(whole->server_workers, whole->server_shrink_after, cpus_usable());
        struct problems problems = {0};
        struct app_host host = {
                .stack_fd = -1,
                .workers = bounds.follows_load ? bounds.max : bounds.first,
                .threads = whole->server_threads,
        };
        struct app *app = NULL;
        int r;

        r = log_open(&host.log, &options);
        if (r < 0)
                return EXIT_CODE_BUG;
        r = app_load(&app, config, &host, &problems);
        if (r == 0)
                r = start(config, app, &problems);
        if (r == 0)
                stop(app, fd);
        (void)log_close(host.log, USEC_PER_SEC, false);
        cli_print_problems(&problems);
        if (r < 0)
                say(fd, VERDICT_TOLD);
        problems_free(&problems);
        app_free(app);
        return r < 0 ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}

/* Return: whether @fd is readable in time: the end of a process, or its verdict. */
static bool await(int fd, int other, uint64_t msec)
{
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};

        return poll(fds, 2, msec < INT_MAX ? (int)msec : INT_MAX) > 0;
}

/* SIGABRT first: the runtime of a language may tell where it is. */
static enum verdict await_end(const struct config *whole, int process, int fd)
{
        enum verdict verdict = VERDICT_NONE;
        char byte;

        if (!await(process, fd, whole->server_start_timeout / USEC_PER_MSEC)) {
                verdict = VERDICT_LATE;
                (void)pidfd_send_signal(process, SIGABRT, NULL, 0);
        }
        if (!await(process, -1, END_MSEC))
                (void)pidfd_send_signal(process, SIGKILL, NULL, 0);
        if (verdict == VERDICT_NONE && read(fd, &byte, sizeof(byte)) == sizeof(byte))
                verdict = (enum verdict)byte;
        return verdict;
}

static void tell_end(const struct app_config *config, int status)
{
        if (WIFSIGNALED(status))
                (void)fprintf(stderr, "%s:%u: [app %s] loading it ended with signal %d (%s)\n",
                              config->origin.file, config->origin.line, config->name,
                              WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
                (void)fprintf(stderr, "%s:%u: [app %s] it ended the process with exit code %d\n",
                              config->origin.file, config->origin.line, config->name,
                              WEXITSTATUS(status));
}

/* One whose threads go on when it is stopped is cut, as the service would. Return: 0 when the child
 * loaded its application, 1 when it was told why not. */
static int judge(const struct config *whole, const struct app_config *config, enum verdict verdict,
                 int status)
{
        bool ended = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CODE_OK;
        bool cut = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

        if (verdict == VERDICT_LOADED && (ended || cut))
                return 0;
        if (verdict == VERDICT_LATE)
                (void)fprintf(stderr,
                              "%s:%u: [app %s] loading it took longer than [server] "
                              "start_timeout, %" PRIu64 " ms\n",
                              config->origin.file, config->origin.line, config->name,
                              whole->server_start_timeout / USEC_PER_MSEC);
        else if (verdict != VERDICT_TOLD)
                tell_end(config, status);
        return 1;
}

/* Return: 0, 1 when it cannot be loaded, or a negative errno. */
static int check_app(const struct config *whole, const struct app_config *config)
{
        _cleanup_close_ int heard = -1;
        _cleanup_close_ int said = -1;
        _cleanup_close_ int process = -1;
        enum verdict verdict;
        int status, ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        heard = ends[0];
        said = ends[1];
        (void)fflush(NULL);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(load_app(whole, config, said));
        process = pidfd_open(pid, 0);
        if (process < 0)
                return -errno;
        verdict = await_end(whole, process, heard);
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return judge(whole, config, verdict, status);
}

static int check_apps(const struct config *config)
{
        int bad = 0;

        for (size_t i = 0; i < config->n_apps; i++) {
                int r = check_app(config, &config->apps[i]);

                if (r < 0) {
                        (void)fprintf(stderr, "appsrv check: %s\n", strerror(-r));
                        return EXIT_CODE_BUG;
                }
                bad += r;
        }
        return bad > 0 ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}

int cli_check(int argc, char *argv[])
{
        struct master_options options = {0};
        struct problems problems = {0};
        struct setup setup = {0};
        const char *file = NULL;
        int code = EXIT_CODE_CONFIG;

        if (cli_file_argument(argc, argv, &file) < 0)
                return EXIT_CODE_CONFIG;
        options.source = cli_source(file);
        if (setup_load(&setup, &options, NULL, &problems) == 0)
                code = check_apps(setup.config);
        cli_print_problems(&problems);
        if (code == EXIT_CODE_OK)
                (void)printf("configuration ok, %zu application%s loaded\n", setup.config->n_apps,
                             setup.config->n_apps == 1 ? "" : "s");
        setup_free(&setup);
        problems_free(&problems);
        return code;
}
