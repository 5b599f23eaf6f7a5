/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration as the service means it: the files, TARGET, and what those say to it whose
 * settings they are. */
#include "master/setup.h"

#include "app/app.h"
#include "master/master.h"

static int load_config(struct config **ret, const struct master_options *options,
                       struct problems *problems)
{
        struct config *config = NULL;
        int r;

        r = config_load(&config, &options->source, problems);
        if (r < 0)
                return r;
        if (options->target)
                r = app_of_target(config, options->target, problems);
        if (r == 0 && options->target)
                r = apps_check(config, problems);
        if (r == 0 && config->n_apps == 0)
                r = problems_add(problems, NULL,
                                 "no application: add a section [app NAME], or name a TARGET");
        if (r < 0) {
                config_free(config);
                return r;
        }
        *ret = config;
        return 0;
}

static int load_tls(struct setup *setup, const struct listeners *listeners,
                    struct problems *problems)
{
        const struct config *config = setup->config;

        if (!listeners && (!tls_wanted(config) || !tls_findable(config)))
                return 0;
        if (listeners && !listen_wants_tls(listeners))
                return 0;
        if (!tls_wanted(config))
                return problems_add(problems, NULL,
                                    "[tls] certificate: the value is missing, a listener is https");
        return tls_new(&setup->tls, config, problems);
}

int setup_load(struct setup *ret, const struct master_options *options,
               const struct listeners *listeners, struct problems *problems)
{
        struct setup setup = {0};
        int r = load_config(&setup.config, options, problems);

        if (r == 0)
                r = load_tls(&setup, listeners, problems);
        if (r < 0)
                setup_free(&setup);
        else
                *ret = setup;
        return r;
}

void setup_free(struct setup *setup)
{
        tls_free(setup->tls);
        config_free(setup->config);
        *setup = (struct setup){0};
}
