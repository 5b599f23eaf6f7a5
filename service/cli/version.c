/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv version`: what this is. */
#include "cli/cli.h"

#include <stdio.h>

#include "worker/worker.h"

int cli_version(int argc, char *argv[])
{
        (void)argc;
        (void)argv;
        (void)printf("appsrv %s\n", APPSRV_VERSION);
        return EXIT_CODE_OK;
}
