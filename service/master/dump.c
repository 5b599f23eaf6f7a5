/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two looks at the boards, one second apart, and then the events. */
#include "master/dump.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "log/events.h"
#include "master/generation.h"
#include "master/listen.h"
#include "master/obituary.h"
#include "master/recover.h"
#include "master/window.h"

#define INTERVAL_USEC USEC_PER_SEC
#define ACCURACY_USEC (10 * USEC_PER_MSEC)

/* The requests of one worker. */
struct in_flight {
        unsigned n;
        char lines[OBITUARY_LINES_MAX]; /* the first of them */
};

static struct status_sample sample_of(struct child *child)
{
        struct status_sample sample = {.taken_usec = now_usec()};

        status_add(&sample, board_slot(child->board, child->slot));
        return sample;
}

static void add_sample(struct status_sample *sum, const struct status_sample *one)
{
        sum->workers += one->workers;
        sum->busy += one->busy;
        sum->requests += one->requests;
        sum->log_lost += one->log_lost;
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                sum->latency[i] += one->latency[i];
}

/* -- one worker -- */

static void add_responses(struct record *record, const struct board_slot *slot)
{
        static const char *const names[] = {"RESPONSES_OTHER", "RESPONSES_1XX", "RESPONSES_2XX",
                                            "RESPONSES_3XX",   "RESPONSES_4XX", "RESPONSES_5XX"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                record_number(record, names[i], atomic_load(&slot->responses[i]));
}

static void add_log(struct record *record, const struct log_counters *log)
{
        record_number(record, "LOG_SHIPPED", log->shipped);
        record_number(record, "LOG_LOST", log->lost);
        record_number(record, "LOG_USED_BYTES", log->used);
        record_number(record, "LOG_CAPACITY_BYTES", log->capacity);
}

static void add_rates(struct record *record, uint64_t rate, uint64_t p99)
{
        record_number(record, "REQUESTS_PER_SECOND", rate);
        record_number(record, "P99_USEC", p99);
}

static void tell_worker(struct log *log, struct child *child, const struct status_sample *now,
                        const struct in_flight *in_flight)
{
        const struct board_slot *slot = board_slot(child->board, child->slot);
        const struct box *box = child->stored.box;
        const struct log_counters counters = log_memory_counters(box->log, box->layout.log_size);
        const char *state = worker_state_name(child->state);
        uint64_t rate = status_rate(&child->sampled, now);
        uint64_t p99 = status_latency_usec(&child->sampled, now, 0.99);
        unsigned busy = atomic_load(&slot->busy), queued = atomic_load(&slot->queued);
        struct record record;

        record_event(&record, EVENT_WORKER_STATE, &child->subject);
        record_string(&record, "STATE", state);
        record_number(&record, "AGE_USEC", now_usec() - child->spawned_usec);
        record_number(&record, "ACCEPTING", atomic_load(&slot->accepting));
        record_number(&record, "CONNECTIONS", atomic_load(&slot->connections));
        record_number(&record, "BUSY_THREADS", busy);
        record_number(&record, "QUEUED", queued);
        record_number(&record, "REQUEST_COUNT", now->requests);
        add_rates(&record, rate, p99);
        add_responses(&record, slot);
        add_log(&record, &counters);
        record_number(&record, "IN_FLIGHT", in_flight->n);
        record_string(&record, "REQUESTS", in_flight->n > 0 ? in_flight->lines : NULL);
        record_format(&record, "MESSAGE",
                      "Worker %u (pid %d) is %s: %u busy, %u queued, %" PRIu64
                      " req/s, p99 %" PRIu64 " us, %u in flight",
                      child->subject.worker_id, child->subject.worker_pid, state, busy, queued,
                      rate, p99, in_flight->n);
        (void)log_commit(log, &record);
}

/* -- the service -- */

static void add_templates(struct record *record, const struct generation *generation)
{
        for (; generation; generation = generation->next)
                if (generation->preload && generation->preload->template.state != WORKER_EMPTY)
                        record_number(record, "TEMPLATE_PID",
                                      (uint64_t)generation->preload->template.subject.worker_pid);
}

static void tell_service(const struct dump *dump, const struct status_sample *now,
                         unsigned in_flight)
{
        const struct window_scene *scene = dump->scene;
        uint64_t backlog = listen_backlog(scene->listeners);
        const struct log_counters own = log_counters(dump->log);
        char text[128];
        struct record record;

        status_format(text, sizeof(text), &dump->before, now, backlog);
        record_event(&record, EVENT_SERVICE_STATE, &(struct record_subject){0});
        record_number(&record, "WORKERS_READY", now->workers);
        record_number(&record, "WORKERS_BUSY", now->busy);
        add_rates(&record, status_rate(&dump->before, now),
                  status_latency_usec(&dump->before, now, 0.99));
        record_number(&record, "IN_FLIGHT", in_flight);
        if (backlog != UINT64_MAX)
                record_number(&record, "BACKLOG", backlog);
        record_number(&record, "RECORDS_LOST", now->log_lost);
        record_number(&record, "BLACK_BOXES_WAITING", scene->recoveries->n);
        add_templates(&record, *scene->generations);
        add_log(&record, &own);
        record_format(&record, "MESSAGE", "State: %s, %u in flight", text, in_flight);
        (void)log_commit(dump->log, &record);
}

/* -- first look, second look -- */

static void look_first(struct dump *dump)
{
        dump->before = (struct status_sample){.taken_usec = now_usec()};
        for (struct generation *one = *dump->scene->generations; one; one = one->next)
                for (size_t i = 0; i < one->n_children; i++) {
                        struct child *child = &one->children[i];

                        child->sampled = (struct status_sample){0};
                        if (child->state == WORKER_EMPTY)
                                continue;
                        child->sampled = sample_of(child);
                        if (child->state == WORKER_READY)
                                add_sample(&dump->before, &child->sampled);
                }
}

static int on_second(sd_event_source *source, uint64_t usec, void *data)
{
        struct dump *dump = data;
        struct status_sample now = {.taken_usec = now_usec()};
        unsigned in_flight = 0;
        struct in_flight own;

        (void)source;
        (void)usec;
        dump->second = sd_event_source_disable_unref(dump->second);
        now.log_lost = log_counters(dump->log).lost + recoveries_lost(dump->scene->recoveries);
        for (struct generation *one = *dump->scene->generations; one; one = one->next)
                for (size_t i = 0; i < one->n_children; i++) {
                        struct child *child = &one->children[i];
                        struct status_sample sample;

                        if (child->state == WORKER_EMPTY)
                                continue;
                        sample = sample_of(child);
                        if (child->state == WORKER_READY)
                                add_sample(&now, &sample);
                        own.n = obituary_requests(own.lines, sizeof(own.lines), child->stored.box);
                        in_flight += own.n;
                        tell_worker(dump->log, child, &sample, &own);
                }
        tell_service(dump, &now, in_flight);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        struct dump *dump = data;

        (void)source;
        (void)info;
        if (dump->second)
                return 0;
        look_first(dump);
        (void)sd_event_add_time_relative(dump->event, &dump->second, CLOCK_MONOTONIC, INTERVAL_USEC,
                                         ACCURACY_USEC, on_second, dump);
        return 0;
}

int dump_open(struct dump *dump, const struct window_scene *scene, struct log *log, sd_event *event)
{
        int r;

        dump->scene = scene;
        dump->log = log;
        dump->event = event;
        r = sd_event_add_signal(event, NULL, SIGUSR1, on_signal, dump);
        return r < 0 ? r : 0;
}

void dump_close(struct dump *dump)
{
        dump->second = sd_event_source_disable_unref(dump->second);
}
