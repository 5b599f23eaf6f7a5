/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a worker: load the applications, tell the master READY, serve until told to stop,
 * drain, end.
 *
 * Runs in the process that the master forked for it. Its main thread sets up and tears down.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "board/board.h"
#include "board/box.h"
#include "config/config.h"
#include "log/log.h"
#include "worker/endpoint.h"
#include "worker/hosting.h"
#include "worker/tls.h"

/* How a process of appsrv ends; sysexits(3) values, so that a unit can name them. */
enum exit_code {
        EXIT_CODE_OK = 0,
        EXIT_CODE_UNAVAILABLE = 69, /* a service that is needed is missing */
        EXIT_CODE_BUG = 70,         /* or a resource of the system ran out */
        EXIT_CODE_CONFIG =
                78, /* the configuration, or an application that cannot be loaded or started */
};

/* What a template process has made for its workers. */
struct preloaded {
        struct app_host *host; /* that the applications know; describes the worker from now on */
        struct hosting hosting;
};

/* Everything that a worker inherits from its master. All of it is borrowed and outlives the
 * worker's life. */
struct worker_options {
        const struct config *config;
        struct board *board;
        unsigned slot;      /* of the board: this worker's own */
        unsigned n_workers; /* that the service shall have */
        struct box *box;    /* this worker's own */
        bool box_kept;      /* by systemd, also when the master dies */
        pid_t master;
        struct record_subject subject; /* worker_pid is set by worker_run() */
        enum log_target log_target;
        int console;        /* where the log's console is */
        const int *printed; /* read ends of the pipes that standard output and error are */
        const struct endpoint *endpoints;
        size_t n_endpoints;
        const struct tls *tls;             /* NULL: no endpoint has it */
        const char *notify_path;           /* the master's notify socket */
        const struct preloaded *preloaded; /* NULL: the worker loads its applications itself */
};

/** worker_box_layout() - what the black box of a worker with this configuration needs. */
struct box_layout worker_box_layout(const struct config *config);

/**
 * worker_run() - live a whole worker's life in the calling process
 *
 * Expects: one thread, no open descriptor of the master but those in @options,
 * standard output and error on pipes, default signal
 * dispositions. SIGTERM drains; the death of the master does as well. Tells the master READY=1,
 * WATCHDOG=1, STOPPING=1 and, when it cannot start, STATUS=why. Return: an exit_code for _exit().
 */
int worker_run(const struct worker_options *options);
