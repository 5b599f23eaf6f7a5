/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The applications of a worker, from their load to their end. */
#pragma once

#include <stddef.h>

#include "app/app.h"
#include "worker/lane.h"

struct hosting {
        struct app **apps;  /* in the order of config->apps */
        struct lane *lanes; /* one an application */
        size_t n;           /* loaded and started */
};

/**
 * hosting_start() - load and start the applications, one after the other
 * @config, @host: borrowed, must outlive them
 * @notify:        where the master is told which one cannot be started, and why
 *
 * Return: an exit_code; 0: all are started. What is started is stopped by hosting_stop() in any
 * case.
 */
int hosting_start(struct hosting *hosting, const struct config *config, struct app_host *host,
                  int notify);

/** hosting_stop() - stop and unload them, the last one first: no request is in one. */
void hosting_stop(struct hosting *hosting);
