/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long one hangs is added up from the time between two looks, so that a worker or a machine
 * that stood still accuses nobody. */
#include "worker/stall.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker/http.h"
#include "worker/transaction.h"

#define LOOKS_PER_WATCHDOG 10

/* So many pauses at once: the loop was late. */
#define LATE 2

int stalls_init(struct stalls *stalls, struct service *service)
{
        const struct config *config = service->config;

        *stalls = (struct stalls){
                .service = service,
                .of = calloc(config->n_apps + 1, sizeof(stalls->of[0])),
                .pause = config->server_watchdog / LOOKS_PER_WATCHDOG,
                .limit = config->server_watchdog,
                .look_at = USEC_NEVER,
        };
        if (!stalls->of)
                return -ENOMEM;
        for (size_t i = 0; i < config->n_apps; i++) {
                stalls->of[i].can = app_can_stall(service->apps[i]);
                stalls->n += stalls->of[i].can;
        }
        return 0;
}

void stalls_done(struct stalls *stalls)
{
        free(stalls->of);
}

bool stalls_concern_all(const struct stalls *stalls)
{
        return stalls->n == stalls->service->config->n_apps;
}

/* What takes a moment is over before the first look: it costs no question. */
bool stalls_due(struct stalls *stalls, bool busy, uint64_t now)
{
        if (!busy || stalls->n == 0) {
                stalls->look_at = USEC_NEVER;
        } else if (stalls->look_at == USEC_NEVER) {
                stalls->looked = 0;
                stalls->look_at = now + stalls->pause;
        }
        return now >= stalls->look_at;
}

void stall_saw(struct stall *stall, bool stands, uint64_t passed, uint64_t pause)
{
        if (stands && passed <= LATE * pause)
                stall->stood_usec += passed;
        else
                stall->stood_usec = 0;
}

static bool is_busy(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->busy, memory_order_relaxed) > 0 ||
               atomic_load_explicit(&slot->queued, memory_order_relaxed) > 0;
}

/* One look at all requests. */
struct look {
        struct stalls *stalls;
        uint64_t granted_usec; /* the last time until when one of them has what it asked for */
};

static void see_work(struct transaction *transaction, void *data)
{
        struct look *look = data;
        struct stall *stall;
        uint64_t granted;

        if (!transaction_is_handled(transaction))
                return;
        stall = &look->stalls->of[transaction->app];
        stall->works = true;
        granted = atomic_load_explicit(&transaction->granted_usec, memory_order_relaxed);
        if (stall->can && granted > look->granted_usec)
                look->granted_usec = granted;
}

/* Those that have just begun are left to the next look: they have not seen it hang. One that rests
 * for its client or has its answer already goes its own way. */
static void end_one(struct transaction *transaction, void *data)
{
        const struct look *look = data;
        const struct stalls *stalls = look->stalls;
        const struct stall *stall;

        if (!transaction_is_handled(transaction) || transaction->overdue ||
            !transaction->suspended || transaction->over)
                return;
        stall = &stalls->of[transaction->app];
        if (stall->stood_usec >= stalls->limit && transaction->handled_usec < stalls->looked)
                transaction_hung(transaction, stall->stood_usec);
}

/* Return: whether one hangs for too long. Applications may share what they wait for, so one that
 * has asked for time has asked for all. */
static bool ask_all(struct stalls *stalls, uint64_t passed, bool excused)
{
        bool hung = false;

        for (size_t i = 0; i < stalls->service->config->n_apps; i++) {
                struct stall *stall = &stalls->of[i];
                bool asked = stall->can && stall->works;
                bool stands = asked && app_stalls(stalls->service->apps[i]);

                stall->works = false;
                stall_saw(stall, stands && !excused, passed, stalls->pause);
                hung = hung || stall->stood_usec >= stalls->limit;
        }
        return hung;
}

void stalls_turn(struct stalls *stalls, const struct http *http, uint64_t now)
{
        struct look look = {.stalls = stalls};
        uint64_t passed = stalls->looked > 0 ? now - stalls->looked : USEC_NEVER;

        if (!stalls_due(stalls, is_busy(stalls->service->slot), now))
                return;
        http_each(http, see_work, &look);
        if (ask_all(stalls, passed, look.granted_usec > now)) {
                stalls->service->overdue = true;
                stalls->service->hung = true;
                http_each(http, end_one, &look);
        }
        stalls->looked = now;
        stalls->look_at = now + stalls->pause;
}

uint64_t stalls_wake_usec(const struct stalls *stalls)
{
        return stalls->look_at;
}
