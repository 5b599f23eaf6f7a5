/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmicrohttpd's callbacks turned into transactions. The only file that includes its header. Loop
 * thread. */
#include "worker/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Request line, headers and response head of a connection live in this pool, which is cleared for
 * each request: 128 KiB cost 25 to 35 % of the requests a second (measured). */
#define CONNECTION_POOL_SIZE 32768

/* How long a draining worker waits for the first request of a connection: the retransmission of a
 * lost first segment comes after 1 s (RFC 6298, 2.1), so 2 s see it. */
#define DRAIN_FRESH_USEC (2 * USEC_PER_SEC)

/* A connection that had an answer this recently is between two requests rather than idle: a
 * draining worker still takes the next one, so that a busy client finds no connection closed in its
 * hands. */
#define DRAIN_BETWEEN_USEC (500 * USEC_PER_MSEC)

/* The kernel counts the end of the client's stream as a received byte. */
#define FIN_SIZE 1

/* CLOCK_MONOTONIC_COARSE is behind by up to a tick: 10 ms at CONFIG_HZ=100. */
#define COARSE_CLOCK_USEC (20 * USEC_PER_MSEC)

/* Refusals of libmicrohttpd itself whose connection has not been seen to end yet. */
#define REFUSALS_MAX 64

/* States of a TCP connection as TCP_INFO has them; <netinet/tcp.h>, which names them, and
 * <linux/tcp.h>, which has all of struct tcp_info, exclude each other. */
enum {
        STATE_CLOSE = 7,
        STATE_CLOSE_WAIT = 8,
        STATE_LAST_ACK = 9,
};

struct connection {
        struct connection *next;
        struct connection **link; /* what points to this one */
        struct http *http;
        int fd;
        struct transaction *transaction; /* the request that is not over; NULL: idle */
        uint64_t deadline;               /* when the head must be complete; USEC_NEVER behind it */
        uint64_t answered; /* when the last request was over; at first, when it began */
        uint64_t received; /* bytes of complete requests */
        bool served;       /* had a request before */
        bool expired;      /* ended by a deadline of ours */
        char peer[REQUEST_PEER_MAX];
};

struct http {
        struct service *service;
        struct MHD_Daemon *daemon;
        struct connection *connections;
        unsigned n_connections;
        unsigned refusals[REFUSALS_MAX]; /* statuses, oldest first */
        size_t n_refusals;
        bool draining;
};

/* -- connections -- */

static void format_peer(const struct sockaddr *address, char text[static REQUEST_PEER_MAX])
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        const char *written = NULL;

        if (address->sa_family == AF_INET)
                written = inet_ntop(AF_INET, &v4->sin_addr, text, REQUEST_PEER_MAX);
        else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
                written = inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, REQUEST_PEER_MAX);
        else if (address->sa_family == AF_INET6)
                written = inet_ntop(AF_INET6, &v6->sin6_addr, text, REQUEST_PEER_MAX);
        if (!written)
                (void)snprintf(text, REQUEST_PEER_MAX, "unix");
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return info ? info->socket_context : NULL;
}

static void publish(const struct http *http)
{
        atomic_store_explicit(&http->service->slot->connections, http->n_connections,
                              memory_order_relaxed);
}

/* From 1.0 on, what MHD_get_connection_info() returns is overwritten by its next call. */
static bool ask_library(struct connection *connection, struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (!info)
                return false;
        connection->fd = info->connect_fd;
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        if (!info)
                return false;
        format_peer(info->client_addr, connection->peer);
        return true;
}

static struct connection *connection_new(struct http *http, struct MHD_Connection *mhd)
{
        struct connection *connection = calloc(1, sizeof(*connection));

        if (!connection || !ask_library(connection, mhd)) {
                free(connection);
                return NULL;
        }
        connection->http = http;
        connection->answered = now_usec();
        connection->deadline = connection->answered + http->service->config->http_header_timeout;

        connection->next = http->connections;
        connection->link = &http->connections;
        if (connection->next)
                connection->next->link = &connection->next;
        http->connections = connection;
        http->n_connections++;
        return connection;
}

static void connection_free(struct connection *connection)
{
        *connection->link = connection->next;
        if (connection->next)
                connection->next->link = connection->link;
        connection->http->n_connections--;
        free(connection);
}

/* What the kernel knows of a connection; all zero for a unix socket. */
static struct tcp_info tcp_info_of(const struct connection *connection)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);

        (void)getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
        return info;
}

/* The oldest refusal of libmicrohttpd's own; 0: none. */
static unsigned take_refusal(struct http *http)
{
        unsigned status;

        if (http->n_refusals == 0)
                return 0;
        status = http->refusals[0];
        http->n_refusals--;
        memmove(http->refusals, http->refusals + 1, http->n_refusals * sizeof(http->refusals[0]));
        return status;
}

static const char *refusal_reason(unsigned status)
{
        switch (status) {
        case MHD_HTTP_URI_TOO_LONG:
                return "request line too long";
        case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
                return "headers too large";
        case MHD_HTTP_CONTENT_TOO_LARGE:
                return "body too large";
        case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
                return "HTTP version not supported";
        default:
                return "malformed request";
        }
}

/* A request that ended before libmicrohttpd told of it: its record has no method and no target. */
static void record_unseen(struct connection *connection, unsigned status, enum outcome outcome)
{
        struct transaction *transaction =
                transaction_new(connection->http->service, NULL, connection->peer);

        if (!transaction)
                return;
        transaction->request.started_usec = connection->answered;
        if (outcome == OUTCOME_REJECTED)
                transaction_refuse(transaction, (int)status, refusal_reason(status), true);
        transaction_end(transaction, outcome);
}

/* How a connection ended that brought the beginning of a request and no more. */
static enum outcome outcome_of_beginning(const struct connection *connection,
                                         const struct tcp_info *info)
{
        uint64_t keepalive = connection->http->service->config->http_keepalive;

        /* By our deadline, or by libmicrohttpd's, whose clock is a coarse one. */
        if (connection->expired ||
            now_usec() + COARSE_CLOCK_USEC >= connection->answered + keepalive)
                return OUTCOME_TIMEOUT;
        switch (info->tcpi_state) {
        case STATE_CLOSE:
        case STATE_CLOSE_WAIT:
        case STATE_LAST_ACK:
                return OUTCOME_CLIENT_ABORT; /* the client closed, or was faster after we did */
        default:
                return OUTCOME_REJECTED; /* libmicrohttpd closes without an answer on some lines */
        }
}

/*
 * The connection is over. Was there a request that no callback has seen? Either libmicrohttpd
 * answered it itself, or the connection ended within the first head. Of a later head's beginning
 * nothing is known: what came before cannot be counted to the byte (chunked bodies, empty lines
 * between requests).
 */
static void record_rest(struct connection *connection)
{
        struct http *http = connection->http;
        const struct tcp_info info = tcp_info_of(connection);
        uint64_t received = info.tcpi_bytes_received;

        if (http->n_refusals > 0 && (received == 0 || received > connection->received + FIN_SIZE))
                record_unseen(connection, take_refusal(http), OUTCOME_REJECTED);
        else if (!connection->served && received > FIN_SIZE)
                record_unseen(connection, MHD_HTTP_BAD_REQUEST,
                              outcome_of_beginning(connection, &info));
}

static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
        struct http *http = data;
        struct connection *connection = *context;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                *context = connection_new(http, mhd);
        } else if (connection) {
                record_rest(connection);
                connection_free(connection);
                *context = NULL;
        }
        publish(http);
}

/* -- requests -- */

/* The request line is complete: @target as it came, which later callbacks only see decoded. */
static void *on_request_line(void *data, const char *target, struct MHD_Connection *mhd)
{
        struct http *http = data;
        struct connection *connection = connection_of(mhd);
        struct transaction *transaction;

        if (!connection)
                return NULL;
        transaction = transaction_new(http->service, target, connection->peer);
        if (!transaction)
                return NULL;
        transaction->connection = mhd;
        connection->transaction = transaction;
        if (connection->served)
                connection->deadline = transaction->request.started_usec +
                                       http->service->config->http_header_timeout;
        return transaction;
}

static enum MHD_Result take_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
        struct request *request = data;

        (void)kind;
        request->headers[request->n_headers++] = (struct header){
                .name = name,
                .name_size = name_size,
                .value = value ? value : "",
                .value_size = value ? value_size : 0,
        };
        return MHD_YES;
}

/* The strings stay in libmicrohttpd's pool, which is not cleared before the request is over. */
static bool take_headers(struct transaction *transaction, struct MHD_Connection *mhd)
{
        struct request *request = &transaction->request;
        const union MHD_ConnectionInfo *info;
        int n;

        n = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
        request->headers =
                arena_alloc(&transaction->arena, (n > 0 ? (size_t)n : 1) * sizeof(struct header));
        if (!request->headers)
                return false;
        (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, take_header, request);

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        request->head_size = info ? info->header_size : 0;
        return true;
}

/* 0.9.75 refuses empty values with MHD_NO; they carry nothing, so they are left out. */
static bool add_headers(struct MHD_Response *mhd, const struct transaction *transaction, bool close)
{
        const struct response *response = &transaction->response;

        for (size_t i = 0; i < response->n_headers; i++)
                if (response->headers[i].value_size > 0 &&
                    MHD_add_response_header(mhd, response->headers[i].name,
                                            response->headers[i].value) != MHD_YES)
                        return false;
        if (close && MHD_add_response_header(mhd, "Connection", "close") != MHD_YES)
                return false;
        return MHD_add_response_header(mhd, "X-Request-ID", transaction->request.id) == MHD_YES;
}

/* Below 1.0 the framing of a chunked body cannot be checked from outside, so nothing behind it is
 * read as a request. */
static bool must_close(const struct http *http, const struct transaction *transaction)
{
        return transaction->response.close || http->draining ||
               (transaction->framing.chunked && MHD_VERSION < 0x01000000);
}

static enum MHD_Result answer(struct http *http, struct MHD_Connection *mhd,
                              struct transaction *transaction)
{
        struct response *response = &transaction->response;
        struct MHD_Response *reply;
        union {
                const char *text;
                void *buffer;
        } body = {.text = response->body ? response->body : ""};
        enum MHD_Result queued = MHD_NO;

        transaction_answer(transaction);
        /* PERSISTENT: the body lives in the transaction, which ends after the response has been
         * sent. */
        reply = MHD_create_response_from_buffer(response->body_size, body.buffer,
                                                MHD_RESPMEM_PERSISTENT);
        if (!reply)
                return MHD_NO;
        if (add_headers(reply, transaction, must_close(http, transaction)))
                queued = MHD_queue_response(mhd, (unsigned)response->status, reply);
        MHD_destroy_response(reply);
        return queued;
}

/* First call: the head is complete. A response that is queued here ends the connection without
 * reading the body. */
static enum MHD_Result on_head(struct http *http, struct MHD_Connection *mhd,
                               struct transaction *transaction, const char *method,
                               const char *version)
{
        connection_of(mhd)->deadline = USEC_NEVER;
        transaction->request.method = method;
        transaction->request.version = version;
        if (!take_headers(transaction, mhd))
                return MHD_NO;
        return transaction_head(transaction) ? MHD_YES : answer(http, mhd, transaction);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
        struct transaction *transaction = *context;
        size_t size = *upload_size;

        (void)url;
        if (!transaction)
                return MHD_NO;
        if (transaction->phase == TRANSACTION_HEAD)
                return on_head(data, mhd, transaction, method, version);
        if (size > 0) {
                *upload_size = 0;
                return transaction_body(transaction, upload, size) ? MHD_YES : MHD_NO;
        }
        if (transaction->phase == TRANSACTION_BODY && transaction_complete(transaction)) {
                (void)MHD_suspend_connection(mhd);
                return MHD_YES;
        }
        return answer(data, mhd, transaction);
}

static enum outcome outcome_of(const struct connection *connection,
                               enum MHD_RequestTerminationCode code)
{
        if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
                return OUTCOME_OK;
        if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED || connection->expired)
                return OUTCOME_TIMEOUT;
        if (code == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
                return OUTCOME_SHUTDOWN;
        return OUTCOME_CLIENT_ABORT;
}

/* The response was handed to the kernel, or the connection broke. */
static void on_completed(void *data, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
        struct http *http = data;
        struct connection *connection = connection_of(mhd);
        struct transaction *transaction = *context;
        enum outcome outcome;

        if (!transaction)
                return;
        outcome = outcome_of(connection, code);
        if (transaction->phase == TRANSACTION_HEAD && http->n_refusals > 0) {
                unsigned status = take_refusal(http);

                transaction_refuse(transaction, (int)status, refusal_reason(status), true);
                outcome = OUTCOME_OK;
        }
        connection->received += transaction->request.head_size + transaction->request.body_size;
        connection->served = true;
        connection->answered = now_usec();
        connection->deadline = connection->answered + http->service->config->http_keepalive +
                               http->service->config->http_header_timeout;
        connection->transaction = NULL;
        transaction_end(transaction, outcome);
        *context = NULL;
}

/* -- the library -- */

/*
 * What libmicrohttpd says of itself. It answers some requests before any callback (a request line
 * larger than the pool, for example) and tells so only here, so this is where such a refusal
 * becomes known; its record follows with the end of the request or of the connection.
 */
static void on_message(void *data, const char *format, va_list arguments)
{
        static const char refusal[] = "Error processing request (HTTP response code is %u";
        struct http *http = data;

        if (strncmp(format, refusal, sizeof(refusal) - 1) == 0 && http->n_refusals < REFUSALS_MAX)
                http->refusals[http->n_refusals++] = va_arg(arguments, unsigned);
}

/* Escapes are decoded once, by target_parse(): the library's own decoder ends a path at %00. */
static size_t leave_escaped(void *data, struct MHD_Connection *mhd, char *text)
{
        (void)data;
        (void)mhd;
        return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
        const struct config *config = http->service->config;
        struct MHD_OptionItem options[] = {
                {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
                {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, http},
                {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
                {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, http},
                {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_POOL_SIZE, NULL},
                {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)http_connections_max(config), NULL},
                {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)(config->http_keepalive / USEC_PER_SEC),
                 NULL},
                {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
#if MHD_VERSION >= 0x00097701
                /* Refuses bare LF, folded lines and white space around names, as RFC 9112 demands
                   of a server. */
                {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
#endif
                {MHD_OPTION_END, 0, NULL},
        };

        return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
                                        MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
                                0, NULL, NULL, on_request, http,
                                /* First, or messages of the other options go to standard error. */
                                MHD_OPTION_EXTERNAL_LOGGER, on_message, http, MHD_OPTION_ARRAY,
                                options, MHD_OPTION_END);
}

int http_new(struct http **ret, struct service *service)
{
        struct http *http;

        http = calloc(1, sizeof(*http));
        if (!http)
                return -ENOMEM;
        http->service = service;
        http->daemon = start_daemon(http);
        if (!http->daemon) {
                free(http);
                return -ENOMEM;
        }
        *ret = http;
        return 0;
}

void http_free(struct http *http)
{
        if (!http)
                return;
        MHD_stop_daemon(http->daemon);
        free(http);
}

int http_fd(const struct http *http)
{
        return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void http_add(struct http *http, int fd, const struct sockaddr *address, socklen_t size)
{
        /* Closes the descriptor itself when it fails. */
        (void)MHD_add_connection(http->daemon, fd, address, size);
}

void http_turn(struct http *http)
{
        struct job *job = pool_finished(http->service->pool);

        while (job) {
                struct transaction *transaction = (struct transaction *)job;

                job = job->next;
                transaction->phase = TRANSACTION_ANSWERED;
                MHD_resume_connection(transaction->connection);
        }
        (void)MHD_run(http->daemon);
}

uint64_t http_timeout_usec(struct http *http)
{
        MHD_UNSIGNED_LONG_LONG msec;

        if (MHD_get_timeout(http->daemon, &msec) != MHD_YES)
                return USEC_NEVER;
        return (uint64_t)msec * USEC_PER_MSEC;
}

unsigned http_connections(const struct http *http)
{
        return http->n_connections;
}

/* -- deadlines and the end -- */

static void expire(struct connection *connection)
{
        connection->expired = true;
        connection->deadline = USEC_NEVER;
        (void)shutdown(connection->fd, SHUT_RDWR);
}

/* libmicrohttpd reads what is queued first, then sees the end of the stream and closes. */
static void end_idle(const struct connection *connection)
{
        (void)shutdown(connection->fd, SHUT_RD);
}

static bool idle(const struct connection *connection, uint64_t now)
{
        uint64_t patience = connection->served ? DRAIN_BETWEEN_USEC : DRAIN_FRESH_USEC;

        return !connection->transaction && now >= connection->answered + patience;
}

void http_check_deadlines(struct http *http, uint64_t now)
{
        for (struct connection *connection = http->connections; connection;
             connection = connection->next) {
                if (connection->deadline <= now)
                        expire(connection);
                else if (http->draining && idle(connection, now))
                        end_idle(connection);
        }
}

void http_drain(struct http *http, uint64_t now)
{
        http->draining = true;
        http_check_deadlines(http, now);
}

void http_give_up(const struct http *http)
{
        for (const struct connection *connection = http->connections; connection;
             connection = connection->next)
                transaction_give_up(connection->transaction);
}
