/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applications: what every kind (native, cgi, static, wsgi) offers to the worker.
 *
 * A kind is a table of functions. apps_check() is pure and also runs in the master; all else runs
 * in a worker (or in the short-lived child of `appsrv check`), because it may run the application's
 * code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/stream.h"
#include "base/arena.h"
#include "config/config.h"
#include "log/log.h"
#include "request/program.h"
#include "request/request.h"
#include "request/response.h"

struct app; /* one loaded application in one process */

/*
 * Own field names that the applications of one process may use in the log before EXTRA takes them.
 */
#define FIELD_NAMES_MAX 32

/*
 * The names used so far, as hashes that are never 0; zero-initialised at first. Taken without a
 * lock by any thread. Two names of the same hash count as one: that lets one more through, which
 * harms nobody.
 */
struct field_names {
        _Atomic uint64_t hashes[FIELD_NAMES_MAX];
};

/* What an application may use of its process; one of them in each process. */
struct app_host {
        struct log *log;
        struct record_subject subject;
        int stack_fd;     /* where runtimes of languages tell of a thread that takes too long */
        unsigned workers; /* in all */
        unsigned threads; /* of this process, for applications */
        struct field_names field_names;
        struct stream_terms stream_terms; /* of responses */
};

/* One request on its way through an application: what the public `appsrv_req` is. */
struct exchange {
        struct request *request;
        struct response *response;
        struct arena *arena;
        struct app *app;
        int status;            /* what the application wants unless it says otherwise; 0: 200 */
        bool sent;             /* the application has given its response, or its head */
        struct stream *stream; /* of a response that is given piece by piece; NULL: none */
        uint64_t written;      /* bytes of it */
        struct stream *intake; /* the body of a request that is read while it arrives; or NULL */
        size_t read;           /* bytes of a gathered body that were read */
        const char *redirect;  /* the target whose answer is wanted instead; NULL: none */
        const char *reason;    /* static text, for the access record: what went wrong; or NULL */
        struct program_end program; /* of type cgi: the last one that ran for it */
        _Atomic int32_t *group;     /* where a process group is noted that works for it; or NULL */
        _Atomic bool abandoned;     /* nobody waits for the response any more */
        _Atomic int alarm;          /* an eventfd that is told so; 0: none */
        /* Tells the loop thread that there is something to send. Any thread. */
        void (*news)(void *data);
        void *news_data;
        /* When its time is up; NULL: never. With @news_data, as for the next. */
        uint64_t (*time_left)(void *data);
        int (*extend)(void *data, uint64_t usec);
        /* Whether somebody waits: APPSRV_CLIENT_*; NULL: he does. With @news_data. */
        int (*client)(void *data);
};

/**
 * apps_check() - whether each application's type is a known kind and its keys are what the kind
 * wants, without loading anything
 *
 * Return: 0, or -EINVAL when problems were added. Pure: no application code, no dlopen.
 */
int apps_check(const struct config *config, struct problems *problems);

/**
 * app_load() - load one application: open it, check its version and its own keys; does not start it
 * @ret:      the application; the caller frees it with app_free(). Untouched on failure.
 * @config:   borrowed, must outlive the application
 * @host:     borrowed, must outlive the application
 * @problems: why it cannot be loaded, with file:line
 *
 * Runs code of the application (constructors). Return: 0; -EINVAL when problems were added,
 * -ENOMEM.
 */
int app_load(struct app **ret, const struct app_config *config, struct app_host *host,
             struct problems *problems);

/** app_free() - unload an application that is not started; accepts NULL. */
void app_free(struct app *app);

/**
 * app_start() - let the application prepare itself, before the worker is ready. Return: 0, or what
 * the application gave.
 */
int app_start(struct app *app);

/** app_preloads() - whether app_start() may be called in a process that workers are forked from,
 * with app_fork() around each fork. */
bool app_preloads(const struct app *app);

/** app_fork() - tell a started application that preloads of a fork; @when: APPSRV_FORK_*. Return:
 * 0, or a negative errno. */
int app_fork(struct app *app, int when);

/** app_can_stall() - whether app_stalls() may be called, when it is started. */
bool app_can_stall(const struct app *app);

/** app_stalls() - whether it hangs as a whole: nothing of it has run since the call before. One
 * thread at a time; never waits. */
bool app_stalls(struct app *app);

/** app_is_plugin() - whether its kind is a plug-in, whose start() loads the application. */
bool app_is_plugin(const struct app *app);

/** app_refusal() - what the application said of its failure to start; "" when nothing. */
const char *app_refusal(const struct app *app);

/** app_refusal_origin() - where the key was written that app_refusal() begins with ("KEY: "); where
 * the application was, when it begins with none. */
const struct origin *app_refusal_origin(const struct app *app);

/** app_stop() - the counterpart of app_start(), when no request is in the application any more. */
void app_stop(struct app *app);

/**
 * app_handle() - let the application answer one request; runs on an application thread and may
 * block
 *
 * Afterwards exchange->response holds an answer: what the application sent, or a 500 when it failed
 * or sent nothing. A response that is given piece by piece may have left long before.
 */
void app_handle(struct exchange *exchange);

/** app_abandon() - nobody waits for the response any more: whoever works for it may end. Loop
 * thread. */
void app_abandon(struct exchange *exchange);

/** app_is_abandonable() - whether it wants to know that soon. */
bool app_is_abandonable(const struct app *app);

/** app_name() - the NAME of its section. */
const char *app_name(const struct app *app);

/* When app_handle() is to begin. Before a body is there exchange->intake gives it. */
enum body_wish {
        BODY_GATHERED, /* when it is there */
        BODY_ASKED,    /* before, if the client waits for a word to send it */
        BODY_STREAMED, /* before */
};

/** app_body_wish() - what it wants. */
enum body_wish app_body_wish(const struct app *app);

/** app_concurrent() - whether app_handle() may run in several threads at once. */
bool app_concurrent(const struct app *app);

/**
 * app_of_target() - which application the TARGET of the command line means: a shared object, a
 * module of Python, or a folder: of programs if all of its files can be executed, else of files
 * @config: gets the application, mounted at "/"
 *
 * Return: 0; -EINVAL when problems were added, -ENOMEM.
 */
int app_of_target(struct config *config, const char *target, struct problems *problems);
