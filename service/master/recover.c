/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One dead process after the other, each as far as the journal takes it. */
#include "master/recover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log/output.h"
#include "master/obituary.h"
#include "master/report.h"
#include "master/ship.h"

/* Their boxes take memory: while the journal is stuck and workers crash, the oldest one is given
 * up. */
#define RECOVERIES_MAX 1024

/* A pipe holds 64 KiB; a child of the application may fill it while it is read. */
#define OUTPUT_MAX ((size_t)1 << 20)

/* Nobody but the recovery commits to the log, and it comes again. */
#define NO_WAIT 0

/* How often, at the end, it is tried again. */
#define PAUSE_MSEC 5

struct recovery {
        struct recovery *next;
        struct stored_box stored;
        struct death death;
        struct log *log;
        struct output output;
        int printed[OUTPUT_STREAMS]; /* -1: all of it was read */
        bool told;                   /* the event is in the log */
        size_t budget;               /* bytes of output that are still read */
        unsigned n_flights;          /* slots that were ever taken */
        unsigned next_flight;        /* before it all requests have their records */
        struct shipment shipment;
};

/* -- steps -- */

/* The requests whose records are not in the log yet; a ticket that nobody settled says nothing any
 * more. */
static void clear_tickets(struct recovery *recovery)
{
        const struct box *box = recovery->stored.box;

        recovery->n_flights = box_flights_used(box);
        if (!log_settled(recovery->log, &box->header->epitaph, RECORD_EVENT))
                ticket_clear(&box->header->epitaph);
        else
                recovery->told = true;
        for (unsigned i = 0; i < recovery->n_flights; i++) {
                struct flight *flight = &box->flights[i];
                bool settled = log_settled(recovery->log, &flight->ticket, RECORD_ACCESS);

                if (settled)
                        flight_set_state(flight, FLIGHT_FREE);
                ticket_clear(&flight->ticket);
        }
}

static ssize_t read_printed(struct recovery *recovery, unsigned stream)
{
        ssize_t n = output_read(&recovery->output, stream, recovery->printed[stream]);

        if (n <= 0 || (size_t)n > recovery->budget)
                return 0;
        recovery->budget -= (size_t)n;
        return n;
}

/* Return: 0 when all that it printed is in the log, or -EAGAIN when there is no room for it yet. A
 * child of the application may go on printing; what comes later is nobody's. */
static int tell_output(struct recovery *recovery)
{
        if (!recovery->output.memory)
                return 0;
        for (unsigned i = 0; i < OUTPUT_STREAMS; i++) {
                ssize_t n = recovery->printed[i] < 0 ? 0 : 1;

                while (n > 0) {
                        if (output_commit(&recovery->output, i, false, false) < 0)
                                return -EAGAIN;
                        n = read_printed(recovery, i);
                }
                close_descriptor(&recovery->printed[i]);
                recovery->printed[i] = -1;
                if (output_commit(&recovery->output, i, true, false) < 0)
                        return -EAGAIN;
        }
        return 0;
}

/* Return: 0, or -EAGAIN when there is no room for it yet. */
static int tell_end(struct recovery *recovery)
{
        struct box *box = recovery->stored.box;
        struct obituary *texts;
        struct record record;
        int r;

        if (recovery->told)
                return 0;
        texts = calloc(1, sizeof(*texts));
        if (!texts)
                return -EAGAIN;
        obituary_record(&record, texts, &recovery->death, box);
        r = log_try_commit(recovery->log, &record, &box->header->epitaph);
        free(texts);
        recovery->told = r != -EAGAIN;
        return r == -EAGAIN ? r : 0;
}

static int tell_request(struct recovery *recovery, struct flight *flight)
{
        struct arena arena = {0};
        struct request request;
        struct record record;
        struct flight copy;
        int r;

        if (!flight_read(flight, &copy))
                return 0;
        obituary_access(&record, &request, &copy, &recovery->death, &arena);
        r = log_try_commit(recovery->log, &record, &flight->ticket);
        arena_free(&arena);
        if (r == -EAGAIN)
                return r;
        flight_set_state(flight, FLIGHT_FREE);
        return 0;
}

static int tell_requests(struct recovery *recovery)
{
        const struct box *box = recovery->stored.box;
        int r = 0;

        while (r == 0 && recovery->next_flight < recovery->n_flights) {
                r = tell_request(recovery, &box->flights[recovery->next_flight]);
                if (r == 0)
                        recovery->next_flight++;
        }
        return r;
}

/* Return: whether all that is to be told is in the log. */
static bool go_on(struct recovery *recovery, sd_event *event)
{
        bool complete = false;
        bool moved = true;

        while (moved && !complete) {
                unsigned before = recovery->next_flight + recovery->told;

                complete = tell_output(recovery) == 0 && tell_end(recovery) == 0 &&
                           tell_requests(recovery) == 0;
                moved = recovery->next_flight + recovery->told > before;
                ship_records(&recovery->shipment, event, recovery->log);
        }
        return complete;
}

/* -- beginning and end -- */

static struct log_options options_of(const struct recoveries *recoveries, const struct box *box,
                                     const struct death *death)
{
        return (struct log_options){
                .target = recoveries->target,
                .console = recoveries->console,
                .level = 7,
                .memory = box->log,
                .buffer_size = box->layout.log_size - log_memory_size(0),
                .subject = death_of(death) != DEATH_OF_MASTER ? death->subject
                                                              : (struct record_subject){0},
                .block_usec = NO_WAIT,
        };
}

static void refuse(struct recoveries *recoveries, const char *name,
                   const struct record_subject *subject, const char *why)
{
        report(recoveries->log, EVENT_BLACKBOX_REFUSED, subject, "Black box %s: %s", name, why);
}

static int open_log(struct recoveries *recoveries, struct recovery *recovery)
{
        const struct box *box = recovery->stored.box;
        struct log_options options;
        int r;

        if (box->layout.log_size < log_memory_size(LOG_BUFFER_MIN))
                return -EBADMSG;
        options = options_of(recoveries, box, &recovery->death);
        r = log_adopt(&recovery->log, &options);
        if (r == -EBADMSG)
                refuse(recoveries, recovery->stored.name, &recovery->death.subject,
                       "it was damaged; what could not be read is counted as lost");
        return recovery->log ? 0 : r;
}

static void open_output(struct recovery *recovery, const int *printed)
{
        const struct box *box = recovery->stored.box;

        for (size_t i = 0; i < OUTPUT_STREAMS; i++)
                recovery->printed[i] = printed ? printed[i] : -1;
        recovery->budget = OUTPUT_MAX;
        if (box->layout.output_size != output_memory_size())
                return;
        recovery->output = (struct output){
                .memory = box->output,
                .log = recovery->log,
                .subject = recovery->death.subject,
        };
        output_adopt(&recovery->output);
}

static void close_printed(const int *printed)
{
        for (size_t i = 0; printed && i < OUTPUT_STREAMS; i++)
                close_descriptor(&printed[i]);
}

/* Return: whether nothing of it is left. @heir: whether systemd's copy is kept if something is. */
static bool finish(struct recoveries *recoveries, struct recovery *recovery, uint64_t timeout_usec,
                   bool complete, bool heir)
{
        bool empty;

        recoveries->n--;
        recoveries->lost += log_counters(recovery->log).lost;
        ship_done(&recovery->shipment);
        close_printed(recovery->printed);
        empty = log_close(recovery->log, timeout_usec, heir) && complete;
        if (empty || !heir)
                store_end(&recovery->stored);
        else
                store_leave(&recovery->stored);
        free(recovery);
        return empty;
}

static void give_up_oldest(struct recoveries *recoveries)
{
        struct recovery *oldest = recoveries->first;

        recoveries->first = oldest->next;
        refuse(recoveries, oldest->stored.name, &oldest->death.subject,
               "given up, too many are waiting for the journal");
        (void)finish(recoveries, oldest, 0, false, false);
}

static void append(struct recoveries *recoveries, struct recovery *recovery)
{
        struct recovery **end = &recoveries->first;

        while (*end)
                end = &(*end)->next;
        *end = recovery;
        recoveries->n++;
}

void recover(struct recoveries *recoveries, struct stored_box *stored, const int *printed,
             const struct death *death)
{
        struct recovery *recovery = calloc(1, sizeof(*recovery));
        int r = recovery ? 0 : -ENOMEM;

        /* What led to the death is in the master's own log, and is read before it. */
        (void)log_ship(recoveries->log);
        if (r == 0) {
                recovery->stored = *stored;
                recovery->death = *death;
                if (death->known && death->how.si_code == CLD_DUMPED)
                        core_find(recovery->death.core, death->subject.worker_pid,
                                  death->how.si_status);
                r = open_log(recoveries, recovery);
        }
        if (r < 0) {
                refuse(recoveries, stored->name, &death->subject, strerror(-r));
                close_printed(printed);
                store_end(stored);
                free(recovery);
                return;
        }
        *stored = (struct stored_box){0};
        open_output(recovery, printed);
        clear_tickets(recovery);
        recovery->told |= death_of(death) == DEATH_OF_MASTER && death->leaving;
        if (recoveries->n == RECOVERIES_MAX)
                give_up_oldest(recoveries);
        append(recoveries, recovery);
}

static void recover_one(struct recoveries *recoveries, struct stored_box *stored)
{
        const struct box_identity *identity = &stored->box->header->identity;
        uint64_t started = atomic_load(&identity->started_usec);
        uint64_t now = now_usec();
        const struct death death = {
                .subject =
                        {
                                .worker_pid = atomic_load(&identity->pid),
                                .worker_id = atomic_load(&identity->id),
                                .generation = atomic_load(&identity->generation),
                        },
                .leaving = atomic_load(&identity->state) == BOX_ENDED,
                .age_usec = started < now ? now - started : 0,
        };

        recover(recoveries, stored, NULL, &death);
}

void recover_inherited(struct recoveries *recoveries)
{
        struct stored_box stored;
        int at = 0, r;

        while ((r = store_inherited(&at, &stored)) != 0) {
                if (r > 0)
                        recover_one(recoveries, &stored);
                else
                        refuse(recoveries, stored.name, NULL,
                               r == -EPROTONOSUPPORT ? "it was made by another version"
                                                     : strerror(-r));
        }
}

void recoveries_ship(struct recoveries *recoveries)
{
        struct recovery **link = &recoveries->first;

        while (*link) {
                struct recovery *recovery = *link;

                if (!go_on(recovery, recoveries->event) || !log_is_empty(recovery->log)) {
                        link = &recovery->next;
                        continue;
                }
                *link = recovery->next;
                (void)finish(recoveries, recovery, 0, true, true);
        }
}

uint64_t recoveries_lost(const struct recoveries *recoveries)
{
        uint64_t lost = recoveries->lost;

        for (const struct recovery *recovery = recoveries->first; recovery;
             recovery = recovery->next)
                lost += log_counters(recovery->log).lost;
        return lost;
}

void recoveries_close(struct recoveries *recoveries, uint64_t timeout_usec)
{
        uint64_t end = now_usec() + timeout_usec;

        while (recoveries->first) {
                struct recovery *recovery = recoveries->first;
                bool complete = go_on(recovery, recoveries->event);

                while (!complete && now_usec() < end) {
                        (void)poll(NULL, 0, PAUSE_MSEC);
                        complete = go_on(recovery, recoveries->event);
                }
                recoveries->first = recovery->next;
                (void)finish(recoveries, recovery, now_usec() < end ? end - now_usec() : 0,
                             complete, recovery->stored.kept);
        }
}
