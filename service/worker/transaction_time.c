/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long an application works on a request, and what follows when it takes too long. Loop thread,
 * but for what the application itself asks. */
#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "worker/overdue.h"
#include "worker/transaction.h"

void transaction_rests(struct transaction *transaction)
{
        atomic_store_explicit(&transaction->rests_usec, now_usec(), memory_order_relaxed);
}

/* Waiting for a thread is not the application's doing. */
static uint64_t waited_usec(const struct transaction *transaction, uint64_t now)
{
        uint64_t since = atomic_load_explicit(&transaction->handled_usec, memory_order_relaxed);
        uint64_t rests = atomic_load_explicit(&transaction->rests_usec, memory_order_relaxed);

        if (since == 0)
                return 0;
        if (since < rests)
                since = rests;
        return now > since ? now - since : 0;
}

void transaction_goes_on(struct transaction *transaction)
{
        atomic_fetch_add_explicit(&transaction->worked_usec, waited_usec(transaction, now_usec()),
                                  memory_order_relaxed);
}

static uint64_t worked_usec(const struct transaction *transaction, uint64_t now)
{
        return atomic_load_explicit(&transaction->worked_usec, memory_order_relaxed) +
               waited_usec(transaction, now);
}

static uint64_t limit_of(const struct transaction *transaction)
{
        return atomic_load_explicit(&transaction->limit_usec, memory_order_relaxed);
}

void transaction_limit(struct transaction *transaction)
{
        const struct config *config = transaction->service->config;
        uint64_t own = config->apps[transaction->app].request_timeout;
        uint64_t limit = own != USEC_NEVER ? own : config->http_request_timeout;

        atomic_store(&transaction->limit_usec, limit > 0 ? limit : USEC_NEVER);
}

uint64_t transaction_allowance(const struct transaction *transaction, uint64_t now)
{
        uint64_t limit = limit_of(transaction), worked;

        if (limit == USEC_NEVER)
                return USEC_NEVER;
        worked = worked_usec(transaction, now);
        return worked < limit ? limit - worked : 0;
}

uint64_t transaction_time_left(const struct transaction *transaction, uint64_t now)
{
        return transaction->overdue ? USEC_NEVER : transaction_allowance(transaction, now);
}

static int extend(struct transaction *transaction, uint64_t usec)
{
        uint64_t limit = limit_of(transaction), worked = worked_usec(transaction, now_usec());

        if (worked >= limit)
                return -ETIMEDOUT;
        if (usec <= limit - worked)
                return 0;
        if (usec > transaction->service->config->http_request_timeout_max ||
            worked > transaction->service->config->http_request_timeout_max - usec)
                return -ERANGE;
        /* Unless it has become overdue meanwhile. */
        return atomic_compare_exchange_strong(&transaction->limit_usec, &limit, worked + usec)
                       ? 0
                       : -ETIMEDOUT;
}

/* Also where nothing limits the request: that its application does not hang is said with it. */
int transaction_extend(struct transaction *transaction, uint64_t usec)
{
        uint64_t most = transaction->service->config->http_request_timeout_max;
        uint64_t until = now_usec() + (usec < most ? usec : most);
        int r = extend(transaction, usec);

        if (r == 0 && until > transaction->granted_usec)
                transaction->granted_usec = until;
        return r;
}

static void go_on_without(struct transaction *transaction)
{
        transaction->overdue = true;
        transaction->service->overdue = true;
        transaction->service->n_overdue++;
        app_abandon(&transaction->exchange);
        if (!transaction->begun) {
                transaction->answer = &transaction->instead;
                response_error(transaction->answer, &transaction->instead_arena, 504, NULL);
                transaction->answer->close = true; /* what follows finds a healthy worker */
        }
        pool_report(transaction->service->pool, &transaction->job);
}

void transaction_overdue(struct transaction *transaction)
{
        uint64_t limit = atomic_exchange(&transaction->limit_usec, 0);

        transaction->reason = "its application took too long";
        overdues_add(&transaction->service->overdues, transaction, OVERDUE_SLOW, limit);
        go_on_without(transaction);
}

void transaction_hung(struct transaction *transaction, uint64_t usec)
{
        atomic_store(&transaction->limit_usec, 0);
        transaction->reason = "its application hung as a whole";
        overdues_add(&transaction->service->overdues, transaction, OVERDUE_HUNG, usec);
        go_on_without(transaction);
}
