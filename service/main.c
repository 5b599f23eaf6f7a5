/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appsrv: the verb of the command line, looked up and called. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "worker/worker.h"

struct verb {
        const char *name;
        int (*run)(int argc, char *argv[]);
        const char *synopsis;
        const char *meaning;
};

static const struct verb verbs[] = {
        {"serve", cli_serve,
         "serve [-c FILE] [--listen ADDR]... [--log auto|journal|console] [--reload] [TARGET]",
         "be the server: of the configured applications, or of TARGET alone"},
        {"check", cli_check, "check [-c FILE]",
         "validate the configuration and load every application"},
        {"show-config", cli_show_config, "show-config [-c FILE]",
         "print every setting with its value, origin and meaning"},
        {"status", cli_status, "status [--watch] [--json] [--reloaded] [--socket PATH]",
         "show what the running service does: workers, rates, requests in flight"},
        {"version", cli_version, "version", "print the version"},
};

static void print_usage(FILE *stream)
{
        (void)fprintf(stream, "Usage:\n");
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                (void)fprintf(stream, "  appsrv %s\n      %s\n", verbs[i].synopsis,
                              verbs[i].meaning);
        (void)fprintf(stream, "See appsrv(8).\n");
}

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

int main(int argc, char *argv[])
{
        const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;

        if (verb)
                return verb->run(argc - 1, argv + 1);
        if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
                print_usage(stdout);
                return EXIT_CODE_OK;
        }
        if (argc > 1 && strcmp(argv[1], "--version") == 0)
                return cli_version(argc - 1, argv + 1);
        print_usage(stderr);
        return EXIT_CODE_CONFIG;
}
