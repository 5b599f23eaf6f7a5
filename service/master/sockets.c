/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking the sockets, and telling which they are. */
#include "master/sockets.h"

#include <stdio.h>

#include "master/report.h"
#include "master/systemd.h"
#include "worker/worker.h"

int sockets_take(struct listeners *listeners, const struct master_options *options, struct log *log)
{
        char culprit[LISTEN_NAME_MAX] = "", status[LISTEN_NAME_MAX + 128];
        struct problems problems = {0};
        int r;

        r = listen_all(listeners, options->listen, options->n_listen, culprit);
        if (r < 0) {
                (void)snprintf(status, sizeof(status), "cannot listen on %s: %s", culprit,
                               listen_error(r));
                (void)problems_add(&problems, NULL, "%s", status);
                report_problems(log, &problems);
                problems_free(&problems);
                manager_failed(-r, status);
                return listen_is_config_error(r) ? EXIT_CODE_CONFIG : EXIT_CODE_UNAVAILABLE;
        }
        for (size_t i = 0; i < listeners->n; i++)
                report_listening(log, listeners->list[i].name);
        return EXIT_CODE_OK;
}

void sockets_announce(const struct listeners *listeners, const struct master_options *options,
                      struct log *log)
{
        if (!options->target || log_is_console(log))
                return;
        for (size_t i = 0; i < listeners->n; i++)
                (void)printf("Serving %s on %s\n", options->target, listeners->list[i].name);
        (void)printf("Records: journalctl -f -t appsrv\n");
        (void)fflush(stdout);
}
