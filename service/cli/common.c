/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several verbs need: the -c argument and the list of problems. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "app/app.h"

struct config_source cli_source(const char *file)
{
        if (file)
                return (struct config_source){.file = file, .check_apps = apps_check};
        return (struct config_source){
                .file = CLI_CONFIG,
                .drop_in = CLI_DROP_IN,
                .file_optional = true,
                .check_apps = apps_check,
        };
}

int cli_file_argument(int argc, char *argv[], const char **ret)
{
        static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
        int option;

        while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
                if (option != 'c')
                        return -EINVAL;
                *ret = optarg;
        }
        if (optind == argc)
                return 0;
        (void)fprintf(stderr, "appsrv %s: unexpected argument '%s'\n", argv[0], argv[optind]);
        return -EINVAL;
}

void cli_print_problems(const struct problems *problems)
{
        for (size_t i = 0; i < problems->n; i++)
                (void)fprintf(stderr, "%s\n", problems->texts[i]);
        if (problems->n_lost > 0)
                (void)fprintf(stderr, "and %zu more\n", problems->n_lost);
}
