/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One that cannot be loaded or started ends the worker; the administrator is told why, and so is
 * the master. Main thread of the worker. */
#include "worker/hosting.h"

#include <appsrv/appsrv.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/events.h"
#include "worker/homes.h"
#include "worker/notify.h"
#include "worker/worker.h"

#define WHY_MAX 512

/* Return: EXIT_CODE_CONFIG. */
static int refuse(struct app_host *host, int notify, const struct app_config *config,
                  const char *why)
{
        const char *hint = homes_hint(config);
        char status[WHY_MAX];
        struct record record;

        record_event(&record, EVENT_APP_FAILED, &host->subject);
        record_string(&record, "APP", config->name);
        record_format(&record, "MESSAGE", "Application %s cannot be started: %s%s", config->name,
                      why, hint);
        (void)log_commit(host->log, &record);

        (void)snprintf(status, sizeof(status), "STATUS=application %s: %s%s", config->name, why,
                       hint);
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
                r = refuse(host, notify, config, problems.n > 0 ? problems.texts[0] : strerror(-r));
        problems_free(&problems);
        return r;
}

static int start(struct app *app, const struct app_config *config, struct app_host *host,
                 int notify)
{
        char why[WHY_MAX];
        int r = app_start(app);

        if (r == 0)
                return EXIT_CODE_OK;
        if (*app_refusal(app))
                (void)snprintf(why, sizeof(why), "%s", app_refusal(app));
        else
                (void)snprintf(why, sizeof(why), "its start() failed: %s", strerror(-r));
        return refuse(host, notify, config, why);
}

static int make_room(struct hosting *hosting, size_t n)
{
        if (hosting->apps)
                return EXIT_CODE_OK;
        hosting->apps = calloc(n + 1, sizeof(struct app *));
        hosting->lanes = calloc(n + 1, sizeof(hosting->lanes[0]));
        hosting->started = calloc(n + 1, sizeof(hosting->started[0]));
        hosting->n = n;
        return hosting->apps && hosting->lanes && hosting->started ? EXIT_CODE_OK : EXIT_CODE_BUG;
}

/* As far as that was not done before. Return: an exit_code. */
static int host_one(struct hosting *hosting, size_t i, const struct app_config *config,
                    struct app_host *host, int notify)
{
        int code = EXIT_CODE_OK;

        if (!hosting->apps[i])
                code = load(&hosting->apps[i], config, host, notify);
        if (code != EXIT_CODE_OK || hosting->started[i] ||
            (hosting->for_others && !app_preloads(hosting->apps[i])))
                return code;
        code = start(hosting->apps[i], config, host, notify);
        hosting->started[i] = code == EXIT_CODE_OK;
        hosting->lanes[i].limit = app_concurrent(hosting->apps[i]) ? UINT_MAX : 1;
        return code;
}

static int host_all(struct hosting *hosting, const struct config *config, struct app_host *host,
                    int notify)
{
        int code = make_room(hosting, config->n_apps);

        for (size_t i = 0; code == EXIT_CODE_OK && i < config->n_apps; i++)
                code = host_one(hosting, i, &config->apps[i], host, notify);
        return code;
}

int hosting_preload(struct hosting *hosting, const struct config *config, struct app_host *host,
                    int notify)
{
        hosting->for_others = true;
        return host_all(hosting, config, host, notify);
}

int hosting_fork(struct hosting *hosting, int when)
{
        size_t n = 0;
        int r = 0;

        for (; r == 0 && n < hosting->n; n++)
                if (hosting->started[n])
                        r = app_fork(hosting->apps[n], when);
        /* Those that were made ready for a fork that does not come. */
        for (size_t i = 0; r < 0 && when == APPSRV_FORK_PREPARE && i + 1 < n; i++)
                if (hosting->started[i])
                        (void)app_fork(hosting->apps[i], APPSRV_FORK_PARENT);
        return r;
}

/* What was made in the template is this process's own from now on. */
static int arrive(struct hosting *hosting, const struct config *config, struct app_host *host,
                  int notify)
{
        char why[WHY_MAX];

        hosting->for_others = false;
        for (size_t i = 0; i < hosting->n; i++) {
                int r = hosting->started[i] ? app_fork(hosting->apps[i], APPSRV_FORK_CHILD) : 0;

                if (r == 0)
                        continue;
                (void)snprintf(why, sizeof(why), "its fork() failed: %s", strerror(-r));
                return refuse(host, notify, &config->apps[i], why);
        }
        return EXIT_CODE_OK;
}

int hosting_start(struct hosting *hosting, const struct config *config, struct app_host *host,
                  int notify)
{
        int code = hosting->for_others ? arrive(hosting, config, host, notify) : EXIT_CODE_OK;

        return code == EXIT_CODE_OK ? host_all(hosting, config, host, notify) : code;
}

void hosting_stop(struct hosting *hosting)
{
        while (hosting->n > 0) {
                struct app *app = hosting->apps[--hosting->n];

                if (hosting->started[hosting->n])
                        app_stop(app);
                app_free(app);
        }
        free(hosting->apps);
        free(hosting->lanes);
        free(hosting->started);
}
