/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a transaction: head judged and routed, body gathered, application run, access record
 * written. */
#include "worker/transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "request/forwarded.h"
#include "request/ids.h"
#include "request/route.h"
#include "request/target.h"

/* Beyond the limit this much of a body is read and dropped, so that the client reads the 413
 * instead of a reset connection. */
#define BODY_DROP_MAX ((uint64_t)1 << 20)

void transactions_add(struct transactions *transactions, struct transaction *transaction)
{
        transaction->next = transactions->first;
        transactions->first = transaction;
        transactions->n++;
}

void transactions_remove(struct transactions *transactions, const struct transaction *transaction)
{
        struct transaction **link = &transactions->first;

        while (*link != transaction)
                link = &(*link)->next;
        *link = transaction->next;
        transactions->n--;
}

/* The application has something to send. */
static void on_news(void *data)
{
        struct transaction *transaction = data;

        atomic_store_explicit(&transaction->begins, true, memory_order_release);
        pool_report(transaction->service->pool, &transaction->job);
}

/* The application has read some of the body. */
static void on_room(void *data)
{
        struct transaction *transaction = data;

        pool_report(transaction->service->pool, &transaction->job);
}

static uint64_t on_time_left(void *data)
{
        return transaction_allowance(data, now_usec());
}

static int on_extend(void *data, uint64_t usec)
{
        return transaction_extend(data, usec);
}

static int on_client(void *data)
{
        struct transaction *transaction = data;

        return presence_look(&transaction->client);
}

static void run_application(struct job *job)
{
        struct transaction *transaction = (struct transaction *)job;

        atomic_store_explicit(&transaction->handled_usec, now_usec(), memory_order_relaxed);
        flight_run(transaction->flight);
        app_handle(&transaction->exchange);
        flight_rest(transaction->flight);
}

struct transaction *transaction_new(struct service *service, const char *target, const char *peer)
{
        struct transaction *transaction;
        struct request *request;

        transaction = calloc(1, sizeof(*transaction));
        if (!transaction)
                return NULL;

        presence_init(&transaction->client);
        transaction->job.run = run_application;
        transaction->service = service;
        transaction->app = -1;
        transaction->limit_usec = USEC_NEVER;
        transaction->answer = &transaction->response;
        request = &transaction->request;
        request->started_usec = now_usec();
        request->scheme = "http";
        request->query = "";
        request->host = "";
        (void)snprintf(request->id, sizeof(request->id), "%016" PRIx64 "%016" PRIx64,
                       service->id_prefix, ++service->id_counter);
        (void)snprintf(request->peer, sizeof(request->peer), "%s", peer);
        if (target) {
                request->target_size = strlen(target);
                request->target = arena_copy(&transaction->arena, target, request->target_size);
        }
        if (target && !request->target) {
                free(transaction);
                return NULL;
        }
        transaction->flight =
                flight_begin(&service->flights, request->id, request->peer, request->target,
                             request->target_size, request->started_usec);
        return transaction;
}

void transaction_refuse(struct transaction *transaction, int status, const char *reason, bool close)
{
        transaction->refused = close;
        transaction->reason = reason;
        transaction->phase = TRANSACTION_ANSWERED;
        response_error(&transaction->response, &transaction->arena, status, reason);
        transaction->response.close = close;
}

/* Beside its application's response, which that may be working on. */
void transaction_refused(struct transaction *transaction, int status, const char *reason)
{
        transaction->refused = true;
        transaction->reason = reason;
        transaction->phase = TRANSACTION_ANSWERED;
        transaction->answer = &transaction->instead;
        response_error(transaction->answer, &transaction->instead_arena, status, reason);
}

void transaction_refused_unanswered(struct transaction *transaction, int status, const char *reason)
{
        transaction_refused(transaction, status, reason);
        transaction->answer->body_size = 0;
}

static bool has_body(const struct framing *framing)
{
        return framing->chunked || framing->content_length > 0;
}

/* What it calls the request, in the black box too. */
static void take_names(struct transaction *transaction)
{
        struct request *request = &transaction->request;
        const struct header *id = ids_request_id(request);

        request->trace = ids_trace(request);
        if (!id)
                return;
        (void)snprintf(request->id, sizeof(request->id), "%s", id->value);
        flight_rename(transaction->flight, request->id);
}

/* What the proxy says counts from here on, in the black box too. */
static struct verdict take_forwarded(struct transaction *transaction, const struct address_set *set)
{
        struct request *request = &transaction->request;
        struct forwarded forwarded;
        struct verdict verdict = forwarded_apply(request, set, &forwarded);

        if (verdict.status != 0)
                return verdict;
        if (forwarded.client[0]) {
                (void)snprintf(request->peer, sizeof(request->peer), "%s", forwarded.client);
                flight_set_peer(transaction->flight, request->peer);
        }
        if (forwarded.scheme[0])
                request->scheme = strcmp(forwarded.scheme, "https") == 0 ? "https" : "http";
        if (forwarded.host[0])
                request->host =
                        arena_copy(&transaction->arena, forwarded.host, strlen(forwarded.host));
        return request->host ? verdict : (struct verdict){.status = 500, .reason = "no memory"};
}

void transaction_run(struct transaction *transaction, struct request *request,
                     struct stream *intake)
{
        struct service *service = transaction->service;

        transaction->exchange = (struct exchange){
                .request = request,
                .response = &transaction->response,
                .arena = &transaction->arena,
                .app = service->apps[transaction->app],
                .intake = intake,
                .program = transaction->exchange.program, /* that named the target */
                .group = transaction->flight ? &transaction->flight->group : NULL,
                .news = on_news,
                .news_data = transaction,
                .time_left = on_time_left,
                .extend = on_extend,
                .client = on_client,
        };
        transaction_limit(transaction);
        transaction->running = true;
        flight_set_state(transaction->flight, FLIGHT_WAITING);
        transaction->job.lane = &service->lanes[transaction->app];
        transaction->job.habit =
                habit_find(&service->habits, service->id_prefix, request->path, request->path_size);
        pool_submit(service->pool, &transaction->job);
}

/* Clients that send slowly must not hold all application threads: half of them at most. */
static bool may_read(struct transaction *transaction, unsigned most)
{
        struct service *service = transaction->service;

        if (service->n_reading >= most)
                return false;
        service->n_reading++;
        transaction->reads = true;
        return true;
}

static void has_read(struct transaction *transaction)
{
        transaction->service->n_reading -= transaction->reads;
        transaction->reads = false;
}

/* Whether the body is to be read while it arrives. Applications ask for lengths, so one without is
 * gathered where they do not say that they want pieces. */
static bool is_read(struct transaction *transaction)
{
        unsigned half = (unsigned)transaction->service->config->server_threads / 2;

        if (transaction->app < 0 || !has_body(&transaction->framing))
                return false;
        switch (app_body_wish(transaction->service->apps[transaction->app])) {
        case BODY_STREAMED:
                return may_read(transaction, half > 0 ? half : 1);
        case BODY_ASKED:
                return transaction->framing.waits && !transaction->framing.chunked &&
                       may_read(transaction, half);
        case BODY_GATHERED:
                break;
        }
        return false;
}

static bool run_at_once(struct transaction *transaction)
{
        struct stream *intake = stream_new(on_room, transaction, NULL);

        if (!intake) {
                transaction_refuse(transaction, 503, "no room for the body", true);
                return false;
        }
        transaction->request.body = "";
        transaction->asks = transaction->framing.waits;
        if (transaction->asks)
                stream_await(intake);
        transaction_run(transaction, &transaction->request, intake);
        return true;
}

bool transaction_head(struct transaction *transaction, struct verdict seen)
{
        struct request *request = &transaction->request;
        struct service *service = transaction->service;
        struct verdict verdict = seen;

        flight_describe(transaction->flight, request->method, request->version, NULL);
        if (verdict.status == 0)
                verdict = validate_head(request, &service->limits, &transaction->framing);
        if (verdict.status == 0)
                verdict = target_parse(request, &transaction->arena);
        if (transaction->trusted)
                take_names(transaction);
        if (verdict.status == 0 && transaction->trusted)
                verdict = take_forwarded(transaction, transaction->trusted);
        if (verdict.status != 0) {
                transaction_refuse(transaction, verdict.status, verdict.reason, true);
                return false;
        }

        transaction->phase = TRANSACTION_BODY;
        if (strcmp(request->path, "*") != 0)
                transaction->app = route_find(service->config, request->path, request->path_size);
        if (transaction->app >= 0)
                flight_describe(transaction->flight, request->method, request->version,
                                app_name(service->apps[transaction->app]));
        if (transaction->app < 0 && has_body(&transaction->framing)) {
                /* A body that nobody wants is not read: the connection ends instead. */
                transaction_refuse(transaction, 404, "no application is mounted here", true);
                return false;
        }
        return !is_read(transaction) || run_at_once(transaction);
}

/* The body is more than what was allowed: remembered now, answered when the request is complete. */
static bool drop(struct transaction *transaction, size_t size)
{
        transaction->body_dropped += size;
        if (transaction->body_dropped <= BODY_DROP_MAX)
                return true;
        transaction_refuse(transaction, 413, "body too large", true);
        return false;
}

bool transaction_body(struct transaction *transaction, const void *data, size_t size)
{
        struct request *request = &transaction->request;
        uint64_t limit = transaction->service->limits.request_body;
        int r;

        if (transaction->body_dropped > 0 || size > limit - request->body_size)
                return drop(transaction, size);
        r = body_add(&transaction->body, data, size, (size_t)transaction->framing.content_length,
                     transaction->service->config->http_body_spool_threshold);
        if (r < 0) {
                transaction_refuse(transaction, 503, "no room for the body", true);
                return false;
        }
        request->body_size += size;
        return true;
}

bool transaction_asks(struct transaction *transaction)
{
        if (transaction_sends(transaction) || stream_asked(transaction->exchange.intake))
                transaction->asks = false;
        return transaction->asks;
}

bool transaction_reads(const struct transaction *transaction)
{
        return transaction->exchange.intake != NULL;
}

/* What nobody reads any more is dropped to its end: it is no more than was allowed. */
ssize_t transaction_take(struct transaction *transaction, const void *data, size_t size)
{
        struct request *request = &transaction->request;
        size_t taken;

        if (transaction->body_dropped > 0 ||
            size > transaction->service->limits.request_body - request->body_size) {
                stream_end(transaction->exchange.intake, -EMSGSIZE);
                transaction->body_dropped += size;
                return transaction->body_dropped <= BODY_DROP_MAX ? (ssize_t)size : -EMSGSIZE;
        }
        taken = transaction->running ? stream_offer(transaction->exchange.intake, data, size)
                                     : size;
        request->body_size += taken;
        return (ssize_t)taken;
}

/* "OPTIONS *" asks the server itself (RFC 9110 9.3.7). */
static void describe_server(struct transaction *transaction)
{
        struct response *response = &transaction->response;

        transaction->phase = TRANSACTION_ANSWERED;
        response->status = 200;
        (void)response_set_header(response, &transaction->arena, "Allow", RESPONSE_METHODS);
}

bool transaction_complete(struct transaction *transaction)
{
        transaction->gathered = true;
        has_read(transaction);
        if (transaction->exchange.intake) {
                stream_end(transaction->exchange.intake, 0);
                transaction->phase = TRANSACTION_RUNNING;
                return transaction->running;
        }
        if (transaction->body_dropped > 0) {
                transaction_refuse(transaction, 413, "body too large", true);
                return false;
        }
        if (body_complete(&transaction->body) < 0) {
                transaction_refuse(transaction, 503, "no room for the body", true);
                return false;
        }
        transaction->request.body = transaction->body.bytes ? transaction->body.bytes : "";
        if (strcmp(transaction->request.path, "*") == 0) {
                describe_server(transaction);
                return false;
        }
        if (transaction->app < 0) {
                transaction_refuse(transaction, 404, "no application is mounted here", false);
                return false;
        }
        transaction_run(transaction, &transaction->request, NULL);
        transaction->phase = TRANSACTION_RUNNING;
        return true;
}

void transaction_late(struct transaction *transaction)
{
        bool whole = transaction->gathered;

        transaction->running = false;
        transaction_refuse(transaction, 503, "no application thread was free in time", !whole);
        transaction->refused = true;
}

bool transaction_is_cut(const struct transaction *transaction)
{
        return transaction->abandoned ||
               (transaction->overdue && (transaction->begun || !transaction->gathered));
}

/* A response that begins when nobody waits for it any more is not sent. */
bool transaction_news(struct transaction *transaction)
{
        if (atomic_load_explicit(&transaction->begins, memory_order_acquire)) {
                if (transaction->over || (transaction->overdue && !transaction->begun))
                        stream_break(transaction->exchange.stream);
                else
                        transaction->begun = true;
        }
        return !transaction->over;
}

/* What the record says when no response was ever complete: 499 is nginx's name for a client that
 * left. */
static int status_of(const struct transaction *transaction, enum outcome outcome)
{
        if (transaction->phase == TRANSACTION_ANSWERED)
                return transaction->answer->status;
        if (transaction->overdue)
                return 504;
        switch (outcome) {
        case OUTCOME_CLIENT_ABORT:
                return 499;
        case OUTCOME_TIMEOUT:
                return 408;
        case OUTCOME_REJECTED:
                return 400;
        case OUTCOME_OK:
        case OUTCOME_SHUTDOWN:
        case OUTCOME_WORKER_DIED:
        case OUTCOME_APP_FAILED:
                break;
        }
        return 503;
}

static uint64_t bytes_sent(const struct transaction *transaction, enum outcome outcome)
{
        const char *method = transaction->request.method;
        const struct response *response = transaction->answer;

        if (transaction->begun)
                return transaction->sent;
        if ((outcome != OUTCOME_OK && outcome != OUTCOME_REJECTED) || response->status == 204 ||
            response->status == 304)
                return 0;
        return method && strcmp(method, "HEAD") == 0 ? 0 : response->body_size;
}

bool transaction_sends(const struct transaction *transaction)
{
        return !transaction->running || transaction->begun || transaction->overdue;
}

void transaction_answer(struct transaction *transaction)
{
        transaction->phase = TRANSACTION_ANSWERED;
        flight_answer(transaction->flight, (unsigned)transaction->answer->status,
                      bytes_sent(transaction, OUTCOME_OK));
        if (transaction->running) /* and may still be what a crash is about */
                flight_set_state(transaction->flight, FLIGHT_RUNNING);
}

/* Of one that goes on the black box knows. */
static struct program_end program_of(const struct transaction *transaction)
{
        const struct flight *flight = transaction->flight;

        if (!transaction->running)
                return transaction->exchange.program;
        return (struct program_end){.pid = flight ? atomic_load(&flight->group) : 0};
}

/* @arena: for the text of the record; the transaction's own belongs to the application while that
 * runs. */
static void write_record(const struct transaction *transaction, enum outcome outcome,
                         struct arena *arena)
{
        struct service *service = transaction->service;
        int app = transaction->app;
        struct access access = {
                .request = &transaction->request,
                .outcome = transaction->overdue ? OUTCOME_TIMEOUT : outcome,
                .status = status_of(transaction, outcome),
                .response_bytes = bytes_sent(transaction, outcome),
                .duration_usec = now_usec() - transaction->request.started_usec,
                .app = app < 0 ? NULL : app_name(service->apps[app]),
                .reason = transaction->reason,
                .extra_fields = service->config->log_access_fields,
                .program = program_of(transaction),
        };
        struct record record;

        if (access_wanted(service->config->log_access, &access, &service->went_well)) {
                access_record(&record, &access, &service->subject, arena);
                (void)log_commit_for(service->log, &record,
                                     transaction->flight ? &transaction->flight->ticket : NULL);
        }
        board_count_request(service->slot, (unsigned)access.status, access.duration_usec);
}

void transaction_give_up(const struct transaction *transaction)
{
        struct arena arena = {0};

        if (!transaction || transaction->recorded)
                return;
        write_record(transaction, transaction->over ? transaction->outcome : OUTCOME_SHUTDOWN,
                     &arena);
        arena_free(&arena);
}

static void finish(struct transaction *transaction)
{
        enum outcome outcome = transaction->refused ? OUTCOME_REJECTED : transaction->outcome;

        if (!transaction->recorded)
                write_record(transaction, outcome, &transaction->arena);
        flight_end(&transaction->service->flights, transaction->flight);
        has_read(transaction);
        stream_free(transaction->exchange.stream);
        stream_free(transaction->exchange.intake);
        response_drop_file(&transaction->response);
        arena_free(&transaction->arena);
        arena_free(&transaction->instead_arena);
        body_free(&transaction->body);
        free(transaction);
}

bool transaction_end(struct transaction *transaction, enum outcome outcome)
{
        if (!transaction)
                return true;
        transaction->over = true;
        presence_end(&transaction->client);
        transaction->outcome = outcome;
        if (transaction->running && !pool_withdraw(transaction->service->pool, &transaction->job)) {
                if (transaction->begun)
                        stream_break(transaction->exchange.stream);
                stream_end(transaction->exchange.intake, -EPIPE);
                app_abandon(&transaction->exchange);
                if (transaction->overdue) { /* its application may never end */
                        transaction_give_up(transaction);
                        transaction->recorded = true;
                }
                return false;
        }
        finish(transaction);
        return true;
}

bool transaction_finish(struct transaction *transaction)
{
        bool over = transaction->over;

        transaction->running = false;
        transaction->service->n_overdue -= transaction->overdue;
        if (!transaction->reason)
                transaction->reason = transaction->exchange.reason;
        if (!transaction->refused && !transaction->begun && transaction->exchange.intake &&
            transaction->body_dropped > 0)
                transaction_refuse(transaction, 413, "body too large", true);
        if (over)
                finish(transaction);
        return over;
}
