/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One that cannot be loaded or started ends the worker; the administrator is told why, and so is
 * the master. Main thread of the worker. */
#include "worker/hosting.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/events.h"
#include "worker/notify.h"
#include "worker/worker.h"

#define WHY_MAX 512

/* Return: EXIT_CODE_CONFIG. */
static int refuse(struct app_host *host, int notify, const char *app, const char *why)
{
        char status[WHY_MAX];
        struct record record;

        record_event(&record, EVENT_APP_FAILED, &host->subject);
        record_string(&record, "APP", app);
        record_format(&record, "MESSAGE", "Application %s cannot be started: %s", app, why);
        (void)log_commit(host->log, &record);

        (void)snprintf(status, sizeof(status), "STATUS=application %s: %s", app, why);
        (void)notify_send(notify, status);
        return EXIT_CODE_CONFIG;
}

/* For the master, should loading it be the end of this worker. */
static void say_what_is_loaded(int notify, const char *app)
{
        char status[128];

        (void)snprintf(status, sizeof(status), "STATUS=loading application %s", app);
        (void)notify_send(notify, status);
}

static int load(struct app **ret, const struct app_config *config, struct app_host *host,
                int notify)
{
        struct problems problems = {0};
        int r;

        say_what_is_loaded(notify, config->name);
        r = app_load(ret, config, host, &problems);
        if (r < 0)
                r = refuse(host, notify, config->name,
                           problems.n > 0 ? problems.texts[0] : strerror(-r));
        problems_free(&problems);
        return r;
}

static int start(struct app *app, struct app_host *host, int notify)
{
        char why[WHY_MAX];
        int r = app_start(app);

        if (r == 0)
                return EXIT_CODE_OK;
        if (*app_refusal(app))
                (void)snprintf(why, sizeof(why), "%s", app_refusal(app));
        else
                (void)snprintf(why, sizeof(why), "its start() failed: %s", strerror(-r));
        return refuse(host, notify, app_name(app), why);
}

int hosting_start(struct hosting *hosting, const struct config *config, struct app_host *host,
                  int notify)
{
        size_t n = config->n_apps ? config->n_apps : 1;
        int code;

        hosting->apps = calloc(n, sizeof(struct app *));
        hosting->lanes = calloc(n, sizeof(hosting->lanes[0]));
        if (!hosting->apps || !hosting->lanes)
                return EXIT_CODE_BUG;
        while (hosting->n < config->n_apps) {
                struct app *app;

                code = load(&app, &config->apps[hosting->n], host, notify);
                if (code != EXIT_CODE_OK)
                        return code;
                code = start(app, host, notify);
                if (code != EXIT_CODE_OK) {
                        app_free(app);
                        return code;
                }
                hosting->lanes[hosting->n].limit = app_concurrent(app) ? UINT_MAX : 1;
                hosting->apps[hosting->n++] = app;
        }
        return EXIT_CODE_OK;
}

void hosting_stop(struct hosting *hosting)
{
        while (hosting->n > 0) {
                struct app *app = hosting->apps[--hosting->n];

                app_stop(app);
                app_free(app);
        }
        free(hosting->apps);
        free(hosting->lanes);
}
