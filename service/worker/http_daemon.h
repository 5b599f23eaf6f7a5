/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmicrohttpd's daemons as this server uses them: no socket of their own, one epoll set each,
 * turned by the worker's loop. Loop thread. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* What a daemon calls. */
struct http_callbacks {
        MHD_NotifyConnectionCallback connection;
        MHD_AccessHandlerCallback request;
        void *(*request_line)(void *data, const char *target, struct MHD_Connection *mhd);
        MHD_RequestCompletedCallback completed;
        MHD_LogCallback message;
        void *data;
};

/**
 * http_daemon_start() - start one
 * @callbacks:   copied
 * @tls:         sessions are set up by callbacks.connection
 * @connections: at most so many
 *
 * Return: ended with MHD_stop_daemon(); NULL when there is no memory, or no support of TLS.
 */
struct MHD_Daemon *http_daemon_start(const struct http_callbacks *callbacks, bool tls,
                                     unsigned connections);

/** http_daemon_below_1_0() - whether the library that runs is, which need not be the one that this
 * was built with. */
bool http_daemon_below_1_0(void);

/** http_daemon_fd() - readable when MHD_run() has something to do. */
int http_daemon_fd(struct MHD_Daemon *daemon);

/** http_daemon_timeout_usec() - how long MHD_run() may wait for its next call; USEC_NEVER. */
uint64_t http_daemon_timeout_usec(struct MHD_Daemon *daemon);

/**
 * http_daemon_run() - let the library do what there is to do
 *
 * It stops at each step of a connection, such as that between a response and the next request, and
 * says that it can go on at once: that need not be a turn of the loop.
 */
void http_daemon_run(struct MHD_Daemon *daemon);
