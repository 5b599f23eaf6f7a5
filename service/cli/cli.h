/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of the command line, one file each: they read their arguments, do the work and give the
 * exit code. */
#pragma once

#include "config/config.h"
#include "config/problems.h"

#define CLI_CONFIG  APPSRV_SYSCONFDIR "/appsrv/appsrv.ini"
#define CLI_DROP_IN APPSRV_SYSCONFDIR "/appsrv/conf.d"

/* The socket of the installed service's window: RuntimeDirectory= of its unit. */
#define CLI_STATUS "/run/appsrv/status"

/* Each gets the arguments from the verb on (argv[0] is the verb) and returns an exit_code. */
int cli_serve(int argc, char *argv[]);
int cli_check(int argc, char *argv[]);
int cli_show_config(int argc, char *argv[]);
int cli_status(int argc, char *argv[]);
int cli_version(int argc, char *argv[]);

/** cli_source() - what -c FILE means; without it (NULL) the installed configuration with its
 * drop-ins. */
struct config_source cli_source(const char *file);

/** cli_file_argument() - read a command line of nothing but [-c FILE]. Return: 0, or -EINVAL after
 * telling what was wrong. */
int cli_file_argument(int argc, char *argv[], const char **ret);

/** cli_print_problems() - tell all problems on standard error, a line each. */
void cli_print_problems(const struct problems *problems);
