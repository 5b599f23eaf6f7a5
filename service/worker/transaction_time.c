/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long the application of a transaction takes, and what becomes of one that takes too long. */
#include "worker/transaction.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/events.h"

void transaction_rests(struct transaction *transaction)
{
        transaction->rests_usec = now_usec();
}

/* Waiting for a thread is not the application's doing. */
static uint64_t waited_usec(const struct transaction *transaction, uint64_t now)
{
        uint64_t since = atomic_load_explicit(&transaction->handled_usec, memory_order_relaxed);

        if (since == 0)
                return 0;
        if (since < transaction->rests_usec)
                since = transaction->rests_usec;
        return now > since ? now - since : 0;
}

void transaction_goes_on(struct transaction *transaction)
{
        transaction->worked_usec += waited_usec(transaction, now_usec());
}

uint64_t transaction_time_left(const struct transaction *transaction, uint64_t now)
{
        uint64_t limit = transaction->service->config->http_request_timeout;
        uint64_t worked = transaction->worked_usec + waited_usec(transaction, now);

        if (limit == 0 || transaction->overdue)
                return USEC_NEVER;
        return worked < limit ? limit - worked : 0;
}

static void record_overdue(const struct transaction *transaction)
{
        struct service *service = transaction->service;
        const char *app = app_name(service->apps[transaction->app]);
        const struct request *request = &transaction->request;
        uint64_t ms = service->config->http_request_timeout / USEC_PER_MSEC;
        struct record record;

        record_event(&record, EVENT_REQUEST_TIMEOUT, &service->subject);
        record_string(&record, "APP", app);
        record_string(&record, "REQUEST_ID", request->id);
        record_format(&record, "MESSAGE",
                      "Application %s took more than %" PRIu64
                      " ms for request %s; this worker is replaced",
                      app, ms, request->id);
        (void)log_commit(service->log, &record);
}

/* Without a handler it does nothing (SIGURG is ignored, and interrupts nothing); the runtime of a
 * language that has one can tell where the thread is. */
static void ask_where_it_is(const struct transaction *transaction)
{
        int thread = transaction->flight ? atomic_load(&transaction->flight->thread) : 0;

        if (thread > 0)
                (void)tgkill(getpid(), thread, SIGURG);
}

void transaction_overdue(struct transaction *transaction)
{
        transaction->overdue = true;
        transaction->service->overdue = true;
        transaction->reason = "its application took too long";
        record_overdue(transaction);
        ask_where_it_is(transaction);
        if (!transaction->begun) {
                transaction->answer = &transaction->instead;
                response_error(transaction->answer, &transaction->instead_arena, 504, NULL);
        }
        pool_report(transaction->service->pool, &transaction->job);
}
