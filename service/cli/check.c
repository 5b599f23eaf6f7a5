/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv check`: validate the configuration and load every application, each in a process of its
 * own. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "base/clock.h"
#include "log/log.h"
#include "master/cpus.h"
#include "master/master.h"
#include "master/setup.h"
#include "worker/worker.h"

/* A plug-in's application is what start() loads; one that is native may do there what only the
 * service shall do. */
static int start_and_stop(const struct app_config *config, struct app *app,
                          struct problems *problems)
{
        int r = app_is_plugin(app) ? app_start(app) : 0;

        if (r < 0)
                return problems_add(problems, &config->origin, "[app %s] %s", config->name,
                                    *app_refusal(app) ? app_refusal(app) : strerror(-r));
        if (app_is_plugin(app))
                app_stop(app);
        return 0;
}

/* In a child: what the application does while it is loaded, a crash included, must not end the
 * check of the others. */
static int load_app(const struct config *whole, const struct app_config *config)
{
        const struct log_options options = {.target = LOG_TARGET_CONSOLE,
                                            .console = STDERR_FILENO,
                                            .level = 6,
                                            .buffer_size = 65536};
        struct problems problems = {0};
        struct app_host host = {
                .workers = whole->server_workers ? whole->server_workers : cpus_usable(),
                .threads = whole->server_threads,
        };
        struct app *app = NULL;
        int r;

        r = log_open(&host.log, &options);
        if (r < 0)
                return EXIT_CODE_BUG;
        r = app_load(&app, config, &host, &problems);
        if (r == 0)
                r = start_and_stop(config, app, &problems);
        (void)log_close(host.log, USEC_PER_SEC, false);
        cli_print_problems(&problems);
        problems_free(&problems);
        app_free(app);
        return r < 0 ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}

/* Return: 0 when the child loaded its application, 1 when it said why not. */
static int judge(const struct app_config *config, int status)
{
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CODE_OK)
                return 0;
        if (WIFSIGNALED(status))
                (void)fprintf(stderr, "%s:%u: [app %s] loading it ended with signal %d (%s)\n",
                              config->origin.file, config->origin.line, config->name,
                              WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) != EXIT_CODE_CONFIG)
                (void)fprintf(stderr, "%s:%u: [app %s] it ended the process with exit code %d\n",
                              config->origin.file, config->origin.line, config->name,
                              WEXITSTATUS(status));
        return 1;
}

/* Return: 0, 1 when it cannot be loaded, or a negative errno. */
static int check_app(const struct config *whole, const struct app_config *config)
{
        int status;
        pid_t pid;

        (void)fflush(NULL);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(load_app(whole, config));
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return judge(config, status);
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
