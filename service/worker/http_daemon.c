/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of libmicrohttpd's daemons. */
#include "worker/http_daemon.h"

#include <string.h>

#include "base/clock.h"
#include "worker/tls.h"

/* Request line, headers and response head of a connection live in this pool, which is cleared for
 * each request: 128 KiB cost 25 to 35 % of the requests a second (measured). */
#define CONNECTION_POOL_SIZE 32768

/* In one turn of the loop. */
#define STEPS_MAX 4

/* Escapes are decoded once, by target_parse(): the library's own decoder ends a path at %00. */
static size_t leave_escaped(void *data, struct MHD_Connection *mhd, char *text)
{
        (void)data;
        (void)mhd;
        return strlen(text);
}

bool http_daemon_below_1_0(void)
{
        return strncmp(MHD_get_version(), "0.", 2) == 0;
}

/* Refuses bare LF, folded lines and white space around names, as RFC 9112 demands of a server.
 * Below 1.0 the option does little but answer some requests with nothing. */
static int strictness(void)
{
        return http_daemon_below_1_0() ? 0 : 1;
}

struct MHD_Daemon *http_daemon_start(const struct http_callbacks *callbacks, bool tls,
                                     unsigned connections)
{
        struct MHD_OptionItem options[] = {
                {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)callbacks->connection, callbacks->data},
                {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)callbacks->request_line, callbacks->data},
                {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)callbacks->completed, callbacks->data},
                {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, callbacks->data},
                {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_POOL_SIZE, NULL},
                {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL},
                {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
                {MHD_OPTION_STRICT_FOR_CLIENT, strictness(), NULL},
                {MHD_OPTION_END, 0, NULL},
        };
        unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                         MHD_USE_ERROR_LOG | (tls ? (unsigned)MHD_USE_TLS : 0);

        return MHD_start_daemon(flags, 0, NULL, NULL, callbacks->request, callbacks->data,
                                /* First, or messages of the other options go to standard error. */
                                MHD_OPTION_EXTERNAL_LOGGER, callbacks->message, callbacks->data,
                                MHD_OPTION_ARRAY, options,
                                tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END,
                                tls_chooser(), MHD_OPTION_END);
}

int http_daemon_fd(struct MHD_Daemon *daemon)
{
        return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

uint64_t http_daemon_timeout_usec(struct MHD_Daemon *daemon)
{
        MHD_UNSIGNED_LONG_LONG msec;

        if (MHD_get_timeout(daemon, &msec) != MHD_YES)
                return USEC_NEVER;
        return (uint64_t)msec * USEC_PER_MSEC;
}

void http_daemon_run(struct MHD_Daemon *daemon)
{
        unsigned n = 0;

        do
                (void)MHD_run(daemon);
        while (++n < STEPS_MAX && http_daemon_timeout_usec(daemon) == 0);
}
