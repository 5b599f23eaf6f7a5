/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv show-config`: the effective configuration, each value with where it came from. */
#include "cli/cli.h"

#include <stdio.h>

#include "worker/worker.h"

int cli_show_config(int argc, char *argv[])
{
        struct problems problems = {0};
        struct config_source source;
        struct config *config = NULL;
        const char *file = NULL;
        int r;

        if (cli_file_argument(argc, argv, &file) < 0)
                return EXIT_CODE_CONFIG;
        source = cli_source(file);
        r = config_load(&config, &source, &problems);
        cli_print_problems(&problems);
        if (r == 0)
                config_print(config, stdout);
        config_free(config);
        problems_free(&problems);
        return r < 0 ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}
