/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv serve`: read the command line and be the master. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "master/master.h"
#include "worker/worker.h"

static int parse_target(const char *name, enum log_target *ret)
{
        static const char *const names[] = {
                [LOG_TARGET_AUTO] = "auto",
                [LOG_TARGET_JOURNAL] = "journal",
                [LOG_TARGET_CONSOLE] = "console",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0) {
                        *ret = (enum log_target)i;
                        return 0;
                }
        (void)fprintf(stderr, "appsrv serve: --log takes auto, journal or console, not '%s'\n",
                      name);
        return -EINVAL;
}

/* @listen: room for as many addresses as there are arguments. */
static int parse_arguments(int argc, char *argv[], struct master_options *options, char **listen)
{
        static const struct option known[] = {
                {"config", required_argument, NULL, 'c'},
                {"listen", required_argument, NULL, 'l'},
                {"log", required_argument, NULL, 'g'},
                {"reload", no_argument, NULL, 'r'},
                {0},
        };
        const char *file = NULL;
        int option;

        while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
                if (option == 'c')
                        file = optarg;
                else if (option == 'l')
                        listen[options->n_listen++] = optarg;
                else if (option == 'r')
                        options->reload = true;
                else if (option != 'g' || parse_target(optarg, &options->log_target) < 0)
                        return -EINVAL;
        }
        if (optind < argc)
                options->target = argv[optind++];
        if (optind < argc) {
                (void)fprintf(stderr, "appsrv serve: one TARGET, not '%s' as well\n", argv[optind]);
                return -EINVAL;
        }
        options->listen = listen;
        /* A TARGET is a server of its own: without -c it takes nothing from the installed
         * configuration. */
        if (file || !options->target)
                options->source = cli_source(file);
        return 0;
}

/* Who changes the code looks at the console. */
static void develop(struct master_options *options)
{
        if (options->log_target == LOG_TARGET_AUTO)
                options->log_target = LOG_TARGET_CONSOLE;
        (void)setenv("APPSRV_RELOAD", "1", 1);
}

int cli_serve(int argc, char *argv[])
{
        struct master_options options = {.log_target = LOG_TARGET_AUTO};
        _cleanup_free_ char **listen = calloc((size_t)argc + 1, sizeof(*listen));

        if (!listen)
                return EXIT_CODE_BUG;
        if (parse_arguments(argc, argv, &options, listen) < 0)
                return EXIT_CODE_CONFIG;
        if (options.reload)
                develop(&options);
        return master_run(&options);
}
