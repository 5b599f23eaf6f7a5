/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of the command line, one file each: they read their arguments, do the work and give the exit code. */
#pragma once

/* Each gets the arguments behind the program's name, argv[0] being the verb, and returns an exit_code. */
int cli_serve(int argc, char *argv[]);
int cli_check(int argc, char *argv[]);
int cli_show_config(int argc, char *argv[]);
int cli_version(int argc, char *argv[]);

#define CLI_DEFAULT_CONFIG  APPSRV_SYSCONFDIR "/appsrv/appsrv.ini"
#define CLI_DEFAULT_DROP_IN APPSRV_SYSCONFDIR "/appsrv/conf.d"
