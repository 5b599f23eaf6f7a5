/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The soft limit follows the configuration. */
#include "worker/descriptors.h"

#include <sys/resource.h>

#include "config/config.h"

/* Descriptors beside those of the connections: logs, plug-ins, what applications open. */
#define DESCRIPTORS_BESIDE 512

void descriptors_raise_limit(const struct config *config)
{
        rlim_t wanted = 2 * (rlim_t)config->http_worker_connections + DESCRIPTORS_BESIDE;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
                return;
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}
