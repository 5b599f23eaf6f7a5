/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmicrohttpd's callbacks turned into transactions. Loop thread. */
#include "worker/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker/connection.h"
#include "worker/http_daemon.h"
#include "worker/http_fields.h"
#include "worker/http_head.h"
#include "worker/http_info.h"
#include "worker/http_pause.h"
#include "worker/http_reply.h"
#include "worker/redirect.h"
#include "worker/relief.h"
#include "worker/tls.h"
#include "worker/socket.h"
#include "worker/unseen.h"

/* The places of the daemons: libmicrohttpd encrypts all connections of one, or none; those to the
 * admin socket have their own number. */
enum { PLAIN, ENCRYPTED, ADMIN, DAEMONS };

_Static_assert(DAEMONS == HTTP_FDS_MAX, "each has a descriptor");

struct http {
        struct service *service;
        struct MHD_Daemon *daemons[DAEMONS]; /* NULL: no endpoint is for it */
        const struct tls *tls;               /* NULL: none is encrypted */
        struct lingers *lingers;
        struct connections connections;
        struct refusals refusals;
        struct relief relief;
        struct transactions orphans; /* over on the wire, but not for their applications */
        bool below_1_0;              /* libmicrohttpd is */
        bool scans_heads;            /* it does not show all that is wrong with one */
};

/* -- connections -- */

static struct connection *new_connection(struct http *http, struct MHD_Connection *mhd)
{
        const struct sockaddr *address = http_address_of(mhd);
        int fd = http_socket_of(mhd);
        struct connection *connection =
                fd >= 0 && address ? connection_new(&http->connections, fd, address,
                                                    http_daemon_of(mhd) == http->daemons[ADMIN])
                                   : NULL;
        void *session = http_session_of(mhd);

        if (connection && session) {
                connection->encrypted = true;
                /* What cannot be set up fails its handshake. */
                (void)tls_begin(http->tls, session, &connection->inside, fd);
        }
        return connection;
}

/* Of the connection: its request is over. */
static void leave_request(struct http *http, struct connection *connection, bool ends)
{
        const struct transaction *transaction = connection->transaction;

        connection->received += transaction->request.head_size + transaction->request.body_size;
        if (connection->served)
                relief_answered(&http->relief, &connection->span);
        connection->served = true;
        connection->refused = transaction->refused;
        connection->ends = connection->ends || transaction->refused || ends;
        connection->transaction = NULL;
        connection_enter(connection, CONNECTION_IDLE);
}

/* 0.9.75 does not tell of the end of a request that it has refused twice, as it does when the
 * arguments are more than its pool has room for. */
static void end_forgotten(struct http *http, struct connection *connection)
{
        struct transaction *transaction = connection->transaction;

        if (!transaction)
                return;
        refusals_settle(&http->refusals, transaction, 0);
        leave_request(http, connection, true);
        if (!transaction_end(transaction, OUTCOME_OK))
                transactions_add(&http->orphans, transaction);
}

static void end_connection(struct http *http, struct connection *connection)
{
        const struct socket_facts facts = socket_facts(connection->fd);

        end_forgotten(http, connection);
        if (unseen_record(http->service, connection, &facts, &http->refusals))
                connection->refused = true;
        if (facts.tcp && !facts.closed && !connection->expired &&
            (facts.unread || connection->refused))
                lingers_add(http->lingers, connection->fd);
        connection_free(connection);
}

static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
        struct http *http = data;
        struct connection *connection = *context;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                *context = new_connection(http, mhd);
        } else if (connection) {
                end_connection(http, connection);
                *context = NULL;
        }
}

/* -- requests -- */

static void describe_encryption(const struct tls *tls, struct request *request, void *session,
                                struct arena *arena)
{
        request->scheme = "https";
        request->tls_version = tls_version(session);
        request->tls_subject = tls_subject(tls, session, arena);
}

/* The request line is complete: @target as it came, which later callbacks only see decoded. */
static void *on_request_line(void *data, const char *target, struct MHD_Connection *mhd)
{
        struct http *http = data;
        struct connection *connection = http_connection_of(mhd);
        struct transaction *transaction;

        if (!connection)
                return NULL;
        transaction = transaction_new(http->service, target, connection->peer);
        if (!transaction)
                return NULL;
        transaction->connection = mhd;
        memcpy(transaction->request.peer_uid, connection->peer_uid, REQUEST_NUMBER_MAX);
        memcpy(transaction->request.peer_pid, connection->peer_pid, REQUEST_NUMBER_MAX);
        transaction->admin = connection->admin;
        transaction->trusted = connection->trusted ? &http->connections.trusted : NULL;
        if (connection->encrypted)
                describe_encryption(http->tls, &transaction->request, http_session_of(mhd),
                                    &transaction->arena);
        connection->transaction = transaction;
        presence_begin(&transaction->client, connection->fd);
        if (connection->stage == CONNECTION_IDLE)
                connection_enter(connection, CONNECTION_HEAD);
        return transaction;
}

/* 0.9.75 refuses empty values with MHD_NO; they carry nothing, so they are left out. */
static bool add_headers(struct MHD_Response *mhd, const struct transaction *transaction, bool close)
{
        const struct response *response = transaction->answer;

        for (size_t i = 0; i < response->n_headers; i++)
                if (response->headers[i].value_size > 0 &&
                    MHD_add_response_header(mhd, response->headers[i].name,
                                            response->headers[i].value) != MHD_YES)
                        return false;
        if (close && MHD_add_response_header(mhd, "Connection", "close") != MHD_YES)
                return false;
        return MHD_add_response_header(mhd, "Server", "appsrv") == MHD_YES &&
               MHD_add_response_header(mhd, "X-Request-ID", transaction->request.id) == MHD_YES;
}

/* Below 1.0 the framing of a chunked body cannot be checked from outside, so nothing behind it is
 * read as a request. */
static bool must_close(struct http *http, const struct transaction *transaction, unsigned span)
{
        return transaction->answer->close || http->connections.draining ||
               (transaction->framing.chunked && http->below_1_0) ||
               relief_ends(&http->relief, span);
}

static enum MHD_Result answer(struct http *http, struct MHD_Connection *mhd,
                              struct transaction *transaction)
{
        struct connection *connection = http_connection_of(mhd);
        struct response *response = transaction->answer;
        struct MHD_Response *reply;
        enum MHD_Result queued = MHD_NO;

        transaction_answer(transaction);
        connection_enter(connection, CONNECTION_SENDING);
        http_goes_first(connection, mhd, false);
        connection->ends = must_close(http, transaction, connection->span);
        reply = response->streamed ? http_reply_streamed(transaction) : http_reply(response);
        if (!reply)
                return MHD_NO;
        if (add_headers(reply, transaction, connection->ends))
                queued = MHD_queue_response(mhd, (unsigned)response->status, reply);
        MHD_destroy_response(reply);
        return queued;
}

/* What the fields of the head do not show. */
static struct verdict judge_head(const struct http *http, const struct connection *connection,
                                 const struct raw_head *head)
{
        const char *flaw = http->scans_heads ? raw_head_flaw(head) : NULL;

        if (flaw)
                return (struct verdict){.status = 400, .reason = flaw};
        if (connection->surplus)
                return (struct verdict){.status = 503, .reason = connection->surplus};
        return (struct verdict){0};
}

/* First call: the head is complete. A response that is queued here ends the connection without
 * reading the body. */
static enum MHD_Result on_head(struct http *http, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version)
{
        struct connection *connection = http_connection_of(mhd);
        struct transaction *transaction = connection->transaction;
        const struct raw_head head = {
                .method = method,
                .url = url,
                .version = version,
                .target_size = transaction->request.target_size,
                .size = http_head_size_of(mhd),
        };

        connection_enter(connection, CONNECTION_BODY);
        transaction->request.head_size = head.size;
        if (!http_take_head(&transaction->request, &transaction->arena, mhd, method, version))
                return MHD_NO;
        if (!transaction_head(transaction, judge_head(http, connection, &head)))
                return answer(http, mhd, transaction);
        /* A connection that rests here is not told to go on: the same call comes again. */
        if (transaction->asks)
                http_rest(transaction);
        return MHD_YES;
}

/* Its application has asked for the body, or does without; or is not done yet with the latter. */
static enum MHD_Result on_consent(struct http *http, struct MHD_Connection *mhd,
                                  struct transaction *transaction)
{
        if (transaction_asks(transaction))
                http_rest(transaction);
        if (!transaction_sends(transaction))
                return MHD_YES;
        transaction->gathered = true; /* what has not arrived is not wanted */
        transaction->answer->close = true;
        return answer(http, mhd, transaction);
}

/* libmicrohttpd keeps what is not taken, and gives it again when the connection is resumed. */
static bool hand_over(struct transaction *transaction, const char *upload, size_t *left,
                      size_t size)
{
        ssize_t taken = transaction_take(transaction, upload, size);

        if (taken < 0)
                return false;
        *left = size - (size_t)taken;
        if (*left > 0)
                http_rest(transaction);
        return true;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
        struct transaction *transaction = *context;
        size_t size = *upload_size;

        if (!transaction || transaction_is_cut(transaction))
                return MHD_NO;
        if (transaction->phase == TRANSACTION_HEAD)
                return on_head(data, mhd, url, method, version);
        if (size == 0 && transaction->asks)
                return on_consent(data, mhd, transaction);
        if (size > 0) {
                *upload_size = 0;
                if (!(transaction_reads(transaction)
                              ? hand_over(transaction, upload, upload_size, size)
                              : transaction_body(transaction, upload, size)))
                        return MHD_NO;
                connection_received(http_connection_of(mhd), size - *upload_size);
                return MHD_YES;
        }
        if (transaction->phase == TRANSACTION_BODY)
                (void)transaction_complete(transaction);
        if (!transaction_sends(transaction)) {
                http_rest(transaction);
                return MHD_YES;
        }
        return answer(data, mhd, transaction);
}

static enum outcome outcome_of(const struct connection *connection,
                               enum MHD_RequestTerminationCode code)
{
        if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
                return OUTCOME_OK;
        if (connection->expired || connection->transaction->too_slow)
                return OUTCOME_TIMEOUT;
        if (connection->transaction->cut_short)
                return OUTCOME_APP_FAILED;
        if (code == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN)
                return OUTCOME_SHUTDOWN;
        return OUTCOME_CLIENT_ABORT;
}

/* Of a request that libmicrohttpd has answered itself: a head that no callback has seen, or a body
 * whose chunks or trailers are not as they should be. 0: it has not. */
static unsigned library_status(struct MHD_Connection *mhd, const struct transaction *transaction)
{
        return transaction->phase == TRANSACTION_ANSWERED ? 0 : http_status_of(mhd);
}

/* The response was handed to the kernel, or the connection broke. */
static void on_completed(void *data, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
        struct http *http = data;
        struct transaction *transaction = *context;
        enum outcome outcome;
        unsigned status;

        if (!transaction)
                return;
        outcome = outcome_of(http_connection_of(mhd), code);
        status = library_status(mhd, transaction);
        if (status > 0) {
                refusals_settle(&http->refusals, transaction, status);
                outcome = OUTCOME_OK;
        }
        leave_request(http, http_connection_of(mhd), code != MHD_REQUEST_TERMINATED_COMPLETED_OK);
        *context = NULL;
        /* What the client does not want any more, the application may still be making. */
        if (!transaction_end(transaction, outcome))
                transactions_add(&http->orphans, transaction);
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

        if (strncmp(format, refusal, sizeof(refusal) - 1) == 0)
                refusals_add(&http->refusals, va_arg(arguments, unsigned));
}

/* Return: 0, or -ENOMEM. */
static int start_daemons(struct http *http, bool admin)
{
        const struct http_callbacks callbacks = {
                .connection = on_connection,
                .request = on_request,
                .request_line = on_request_line,
                .completed = on_completed,
                .message = on_message,
                .data = http,
        };
        unsigned connections = http_connections_max(http->service->config);
        const bool wanted[DAEMONS] = {true, http->tls != NULL, admin};

        for (size_t i = 0; i < DAEMONS; i++) {
                if (!wanted[i])
                        continue;
                http->daemons[i] =
                        http_daemon_start(&callbacks, i == ENCRYPTED,
                                          i == ADMIN ? HEALTH_CONNECTIONS_MAX : connections);
                if (!http->daemons[i])
                        return -ENOMEM;
        }
        return 0;
}

int http_new(struct http **ret, struct service *service, const struct tls *tls, bool admin,
             struct lingers *lingers)
{
        struct http *http;
        int r = raw_head_test();

        if (r < 0)
                return r;
        http = calloc(1, sizeof(*http));
        if (!http)
                return -ENOMEM;
        http->scans_heads = raw_head_wanted();
        http->below_1_0 = http_daemon_below_1_0();
        http->service = service;
        http->tls = tls;
        http->lingers = lingers;
        connections_init(&http->connections, service->config, service->slot, service->id_prefix);
        relief_init(&http->relief, service->board, service->slot, now_usec());
        r = start_daemons(http, admin);
        if (r < 0) {
                http_free(http);
                return r;
        }
        *ret = http;
        return 0;
}

void http_free(struct http *http)
{
        if (!http)
                return;
        for (size_t i = 0; i < DAEMONS; i++)
                if (http->daemons[i])
                        MHD_stop_daemon(http->daemons[i]);
        free(http);
}

size_t http_fds(const struct http *http, int fds[static HTTP_FDS_MAX])
{
        size_t n = 0;

        for (size_t i = 0; i < DAEMONS; i++)
                if (http->daemons[i])
                        fds[n++] = http_daemon_fd(http->daemons[i]);
        return n;
}

/* From 1.0 on libmicrohttpd tells of a new connection in its next turn only. */
void http_add(struct http *http, const struct endpoint *endpoint, int fd,
              const struct sockaddr *address, socklen_t size)
{
        struct connections *connections = &http->connections;
        struct MHD_Daemon *daemon = http->daemons[endpoint->admin ? ADMIN
                                                  : endpoint->tls ? ENCRYPTED
                                                                  : PLAIN];
        unsigned before = connections->n;

        /* Closes the descriptor itself when it fails. */
        if (MHD_add_connection(daemon, fd, address, size) == MHD_YES && connections->n == before)
                connections_arriving(connections, connections->arriving + 1);
}

void http_greeting(struct http *http, unsigned n)
{
        connections_greeting(&http->connections, n);
}

static void take_news(struct job *job)
{
        for (; job; job = job->next_with_news) {
                struct transaction *transaction = (struct transaction *)job;

                if (transaction_news(transaction))
                        http_wake(transaction);
        }
}

static void take_finished(struct http *http, struct job *job)
{
        uint64_t now = job ? now_usec() : 0;

        while (job) {
                struct transaction *transaction = (struct transaction *)job;

                relief_handled(&http->relief, now - job->submitted);
                job = job->next;
                if (redirect_follow(transaction))
                        continue;
                if (transaction->over)
                        transactions_remove(&http->orphans, transaction);
                if (!transaction_finish(transaction))
                        http_wake(transaction);
        }
}

/* Those that have waited too long for an application thread. */
static void take_late(struct http *http)
{
        struct pool *pool = http->service->pool;
        uint64_t since = now_usec() - http->service->config->http_queue_timeout;
        struct job *job;

        while ((job = pool_late(pool, since))) {
                struct transaction *transaction = (struct transaction *)job;

                transaction_late(transaction);
                http_wake(transaction);
        }
}

void http_turn(struct http *http)
{
        struct job *news, *finished = pool_collect(http->service->pool, &news);

        take_news(news);
        take_finished(http, finished);
        take_late(http);
        for (size_t i = 0; i < DAEMONS; i++)
                if (http->daemons[i])
                        http_daemon_run(http->daemons[i]);
        connections_arriving(&http->connections, 0);
}

uint64_t http_timeout_usec(struct http *http)
{
        uint64_t least = USEC_NEVER;

        for (size_t i = 0; i < DAEMONS; i++) {
                uint64_t usec =
                        http->daemons[i] ? http_daemon_timeout_usec(http->daemons[i]) : USEC_NEVER;

                if (usec < least)
                        least = usec;
        }
        return least;
}

unsigned http_connections(const struct http *http)
{
        return http->connections.n + http->orphans.n;
}

/* -- deadlines and the end -- */

void http_check_deadlines(struct http *http, uint64_t now)
{
        connections_check(&http->connections, now);
        relief_turn(&http->relief, now);
}

uint64_t http_wake_usec(const struct http *http)
{
        uint64_t late = pool_oldest_usec(http->service->pool);
        uint64_t wake = connections_wake_usec(&http->connections);
        uint64_t look = relief_wake_usec(&http->relief);

        if (late != USEC_NEVER)
                late += http->service->config->http_queue_timeout + 1;
        if (late < wake)
                wake = late;
        return look < wake ? look : wake;
}

void http_drain(struct http *http)
{
        http->connections.draining = true;
}

void http_each(const struct http *http, void (*see)(struct transaction *transaction, void *data),
               void *data)
{
        for (const struct connection *connection = http->connections.first; connection;
             connection = connection->next)
                if (connection->transaction)
                        see(connection->transaction, data);
        for (struct transaction *transaction = http->orphans.first; transaction;
             transaction = transaction->next)
                see(transaction, data);
}

static void give_up(struct transaction *transaction, void *data)
{
        (void)data;
        overdues_cut(transaction->service, transaction);
        transaction_give_up(transaction);
}

void http_give_up(const struct http *http)
{
        http_each(http, give_up, NULL);
}
