/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of app/ share: the table that a kind of application fills, and the application as
 * its kind sees it.
 */
#pragma once

#include <stdatomic.h>

#include "app/app.h"

/* Of what an application says when it cannot start, with the NUL. */
#define REFUSAL_MAX 501

/* A kind of application. Functions that are NULL have nothing to do. */
struct kind {
        const char *name; /* type = of its sections */

        /* Whether its keys are well; adds problems. Pure. Return: 0 or -EINVAL. */
        int (*check)(const struct app_config *config, struct problems *problems);
        /* Set app->instance; adds problems. Return: 0, -EINVAL or -ENOMEM. */
        int (*load)(struct app *app, struct problems *problems);
        void (*unload)(struct app *app);
        int (*start)(struct app *app);
        void (*stop)(struct app *app);
        /* Whether start() may be called in a process that workers are forked from; NULL: never. */
        bool (*preloads)(const struct app *app);
        int (*fork)(struct app *app, int when); /* APPSRV_FORK_*; of those that preload */
        /* Whether it can tell that it hangs as a whole; NULL: none can. And whether it does. */
        bool (*can_stall)(const struct app *app);
        bool (*stalls)(struct app *app);
        /* Answer: 0, or a negative errno; what was sent is in exchange->response. */
        int (*handle)(struct exchange *exchange);
        bool (*concurrent)(const struct app *app);
        enum body_wish (*body_wish)(const struct app *app); /* NULL: gathered */
        bool abandonable; /* handle() ends sooner when the client has left */
};

/* One loaded application. The public appsrv_ctx. */
struct app {
        const struct kind *kind;
        const struct app_config *config;
        struct app_host *host;
        void *instance; /* what its kind keeps */
        char refusal[REFUSAL_MAX];
        atomic_bool told_left_out; /* of a header: once is enough */
};

extern const struct kind kind_cgi;
extern const struct kind kind_native;
extern const struct kind kind_plugin;
extern const struct kind kind_static;

/** plugin_there() - whether `type` = @name means a plug-in that is installed. */
bool plugin_there(const char *name);

/**
 * exchange_set_head() - what appsrv_send() and appsrv_begin() have in common
 * @code:    0: what was set before, else 200
 * @type:    may be NULL
 * @content: whether there is any
 *
 * Return: 0; -EALREADY, -EINVAL for a bad status, one without content, or a bad type; -E2BIG,
 * -ENOMEM. On failure nothing has changed.
 */
int exchange_set_head(struct exchange *exchange, int code, const char *type, bool content);

/**
 * app_record() - start a record of an application: what every one of them tells
 * @exchange: the request it belongs to; may be NULL
 */
void app_record(struct record *record, const struct app *app, const struct exchange *exchange,
                int priority);

/** app_left_out() - tell once that an application is not given a header for its underscore. */
void app_left_out(const struct exchange *exchange, const char *name, size_t size);
