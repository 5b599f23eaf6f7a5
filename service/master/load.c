/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration as the service means it: the files, TARGET, and what the kinds of application
 * say to it. */
#include "master/master.h"

#include "app/app.h"

int master_load_config(struct config **ret, const struct master_options *options,
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
