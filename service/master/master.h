/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of the master: take the sockets, keep a generation of workers serving, reload, drain,
 * end.
 *
 * One thread, one sd-event loop. It never reads a byte of HTTP and never runs application code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "log/log.h"

/* What the command line decided. All of it is borrowed and outlives the master. */
struct master_options {
        struct config_source source; /* read again on every reload */
        const char *target;          /* TARGET, or NULL */
        char *const
                *listen; /* --listen addresses, used when systemd passed no socket named "http" */
        size_t n_listen; /* 0: 127.0.0.1:8080 */
        enum log_target log_target;
        bool reload; /* as soon as a file has changed */
};

/**
 * master_run() - live the master's whole life
 *
 * Return: an exit_code.
 */
int master_run(const struct master_options *options);
