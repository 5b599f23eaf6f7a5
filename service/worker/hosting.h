/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The applications of a process, from their load to their end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/app.h"
#include "worker/lane.h"

struct hosting {
        struct app **apps;  /* in the order of config->apps */
        struct lane *lanes; /* one an application */
        bool *started;
        size_t n;
        bool for_others; /* they are in a template process, or just come from there */
};

/**
 * hosting_start() - load and start the applications, one after the other
 * @hosting:       zeroed, or a copy of a template's
 * @config, @host: borrowed, must outlive them
 * @notify:        where the master is told which one cannot be started, and why
 *
 * Return: an exit_code; 0: all are started. What is started is stopped by hosting_stop() in any
 * case.
 */
int hosting_start(struct hosting *hosting, const struct config *config, struct app_host *host,
                  int notify);

/**
 * hosting_preload() - the same in a template process: start only those that workers can be forked
 * with, load the others
 *
 * A worker that was forked goes on with its copy: hosting_start() starts what is missing.
 */
int hosting_preload(struct hosting *hosting, const struct config *config, struct app_host *host,
                    int notify);

/** hosting_fork() - tell those that are started of a fork; @when: APPSRV_FORK_PREPARE or _PARENT.
 * Return: 0, or a negative errno: there must be none. */
int hosting_fork(struct hosting *hosting, int when);

/** hosting_stop() - stop and unload them, the last one first: no request is in one. */
void hosting_stop(struct hosting *hosting);
