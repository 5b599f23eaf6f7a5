/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread after the other is asked where it is; who does not say so in time has no stack in his
 * event. */
#include "worker/overdue.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "board/flight.h"
#include "log/events.h"
#include "worker/stacks.h"
#include "worker/transaction.h"

/* A thread in the middle of a system call that cannot be interrupted does not answer. */
#define PATIENCE_USEC (500 * USEC_PER_MSEC)
#define LOOK_USEC     (5 * USEC_PER_MSEC)

/* All of them together, when the worker ends: its master does not wait much longer. */
#define PATIENCE_AT_THE_END_USEC USEC_PER_SEC

#define NATIVE_MAX  ((size_t)8192)
#define MESSAGE_MAX ((size_t)8192)
#define RUNTIME_MAX ((size_t)32768)

struct overdue {
        struct overdue *next;
        const char *app;
        char id[FLIGHT_ID_MAX];
        enum overdue_cause cause;
        uint64_t usec;               /* that it had */
        const struct flight *flight; /* may be NULL, or somebody else's by now */
        uint64_t started_usec;
        int thread;
};

static struct overdue overdue_of(const struct transaction *transaction, enum overdue_cause cause,
                                 uint64_t usec)
{
        const struct flight *flight = transaction->flight;
        struct overdue overdue = {
                .app = app_name(transaction->service->apps[transaction->app]),
                .cause = cause,
                .usec = usec,
                .flight = flight,
                .started_usec = transaction->request.started_usec,
                .thread = flight ? atomic_load(&flight->thread) : 0,
        };

        (void)snprintf(overdue.id, sizeof(overdue.id), "%s", transaction->request.id);
        return overdue;
}

void overdues_add(struct overdues *overdues, const struct transaction *transaction,
                  enum overdue_cause cause, uint64_t usec)
{
        struct overdue *overdue = calloc(1, sizeof(*overdue));
        struct overdue **link = &overdues->first;

        if (!overdue)
                return; /* the access record tells of it, too */
        *overdue = overdue_of(transaction, cause, usec);
        while (*link)
                link = &(*link)->next;
        *link = overdue;
}

static bool still_works(const struct overdue *overdue)
{
        return overdue->thread > 0 && overdue->flight->started_usec == overdue->started_usec &&
               atomic_load(&overdue->flight->thread) == overdue->thread;
}

static int write_cause(char message[static MESSAGE_MAX], const struct overdue *overdue)
{
        uint64_t msec = overdue->usec / USEC_PER_MSEC;

        switch (overdue->cause) {
        case OVERDUE_SLOW:
                return snprintf(message, MESSAGE_MAX,
                                "Application %s took more than %" PRIu64
                                " ms for request %s; this worker is replaced",
                                overdue->app, msec, overdue->id);
        case OVERDUE_HUNG:
                return snprintf(message, MESSAGE_MAX,
                                "Application %s hangs as a whole: none of its threads could go on "
                                "for %" PRIu64 " ms, in request %s; this worker is replaced",
                                overdue->app, msec, overdue->id);
        case OVERDUE_AT_END:
                break;
        }
        return snprintf(message, MESSAGE_MAX,
                        "Application %s was not done with request %s at the end of "
                        "graceful_timeout; the request is cut",
                        overdue->app, overdue->id);
}

/* Of what the runtime tells of all its threads, the part of the one that was asked. */
static void write_message(char message[static MESSAGE_MAX], const struct overdue *overdue,
                          const char *stacks)
{
        const char *own = strstr(stacks, "Current thread ");
        const char *end = own ? strstr(own, "\n\n") : NULL;
        int length = end ? (int)(end - own) : own ? (int)strlen(own) : 0;
        int n = write_cause(message, overdue);

        (void)snprintf(message + n, MESSAGE_MAX - (size_t)n, "%s%.*s", length > 0 ? "\n" : "",
                       length, own ? own : "");
}

static enum event event_of(enum overdue_cause cause)
{
        static const enum event events[] = {
                [OVERDUE_SLOW] = EVENT_REQUEST_TIMEOUT,
                [OVERDUE_HUNG] = EVENT_APP_HUNG,
                [OVERDUE_AT_END] = EVENT_DRAIN_TIMEOUT,
        };

        return events[cause];
}

static void write_event(const struct service *service, const struct overdue *overdue, bool told)
{
        char native[NATIVE_MAX] = "", runtime[RUNTIME_MAX] = "", message[MESSAGE_MAX];
        struct record record;

        if (told) {
                (void)stacks_read(STACK_NATIVE, native, sizeof(native));
                (void)stacks_read(STACK_RUNTIME, runtime, sizeof(runtime));
        }
        record_event(&record, event_of(overdue->cause), &service->subject);
        record_string(&record, "APP", overdue->app);
        record_string(&record, "REQUEST_ID", overdue->id);
        record_string(&record, "STACK", native[0] ? native : NULL);
        record_string(&record, "RUNTIME_STACK", runtime[0] ? runtime : NULL);
        write_message(message, overdue, runtime);
        record_string(&record, "MESSAGE", message);
        (void)log_commit(service->log, &record);
}

static void finish_first(struct service *service, bool told)
{
        struct overdues *overdues = &service->overdues;
        struct overdue *overdue = overdues->first;

        write_event(service, overdue, told);
        overdues->first = overdue->next;
        overdues->patience_end = 0;
        free(overdue);
}

void overdues_turn(struct service *service, uint64_t now)
{
        struct overdues *overdues = &service->overdues;

        while (overdues->first) {
                if (overdues->patience_end == 0) {
                        overdues->patience_end = now;
                        if (still_works(overdues->first) && stacks_ask(overdues->first->thread))
                                overdues->patience_end = now + PATIENCE_USEC;
                        else
                                finish_first(service, false);
                } else if (stacks_told() || now >= overdues->patience_end) {
                        finish_first(service, stacks_told());
                } else {
                        return;
                }
        }
}

uint64_t overdues_wake_usec(const struct overdues *overdues, uint64_t now)
{
        return overdues->first ? now + LOOK_USEC : USEC_NEVER;
}

void overdues_cut(struct service *service, const struct transaction *transaction)
{
        struct overdues *overdues = &service->overdues;
        struct overdue overdue;
        bool told;

        if (!transaction || !transaction->running || transaction->overdue)
                return;
        overdue = overdue_of(transaction, OVERDUE_AT_END, 0);
        if (overdues->patience_end == 0)
                overdues->patience_end = now_usec() + PATIENCE_AT_THE_END_USEC;
        told = still_works(&overdue) && stacks_ask(overdue.thread);
        while (told && !stacks_told() && now_usec() < overdues->patience_end)
                (void)poll(NULL, 0, LOOK_USEC / USEC_PER_MSEC);
        write_event(service, &overdue, told && stacks_told());
}

void overdues_finish(struct service *service)
{
        while (service->overdues.first)
                finish_first(service, service->overdues.patience_end > 0 && stacks_told());
}
