/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How events of the service and a refused configuration look in the journal. */
#include "master/report.h"

#include <assert.h>
#include <string.h>

#include "test_log_journald.h"

struct bench {
        struct journald journald;
        struct log *log;
};

static struct bench bench_new(void)
{
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 1 << 20};
        struct bench bench = {.log = NULL};

        journald_start(&bench.journald);
        assert(log_open(&bench.log, &options) == 0);
        return bench;
}

static void bench_end(struct bench *bench)
{
        (void)log_close(bench->log, 0, false);
        journald_remove(&bench->journald);
}

static struct entry entry_of(struct bench *bench)
{
        struct entry entry;

        assert(log_ship(bench->log) == 0);
        assert(journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
        return entry;
}

static void test_event_of_the_service_has_no_worker(void)
{
        struct bench bench = bench_new();
        struct record_field field;
        struct entry entry;

        report(bench.log, EVENT_MASTER_READY, NULL, "Ready: %d workers", 4);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "EVENT", "master-ready") &&
               entry_has(&entry, "MESSAGE", "Ready: 4 workers"));
        assert(entry_find(&entry, "WORKER_PID", &field) == 0 &&
               entry_find(&entry, "GENERATION", &field) == 0);
        entry_free(&entry);

        report_listening(bench.log, "http://127.0.0.1:80/");
        entry = entry_of(&bench);
        assert(entry_has(&entry, "EVENT", "listening") &&
               entry_has(&entry, "ADDRESS", "http://127.0.0.1:80/"));
        entry_free(&entry);
        bench_end(&bench);
}

static void test_a_changed_number_of_workers_is_told_with_its_reason(void)
{
        static const struct {
                int by;
                unsigned wanted;
                const char *message;
        } changes[] = {
                {2, 4, "Up to 4 workers: because"},
                {-1, 1, "Down to 1 worker: because"},
                {0, 3, "The limit is reached, still 3 workers: because"},
        };
        struct bench bench = bench_new();

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                const char wanted[] = {(char)('0' + changes[i].wanted), '\0'};
                struct entry entry;

                report_scaled(bench.log, changes[i].by, changes[i].wanted, "because");
                entry = entry_of(&bench);
                assert(entry_has(&entry, "EVENT", "scaled") &&
                       entry_has(&entry, "WORKERS", wanted) &&
                       entry_has(&entry, "MESSAGE", changes[i].message));
                entry_free(&entry);
        }
        bench_end(&bench);
}

static void test_all_problems_are_in_one_record(void)
{
        struct problems problems = {0};
        struct bench bench = bench_new();
        struct entry entry;

        (void)problems_add(&problems, NULL, "first");
        report_problems(bench.log, &problems);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "MESSAGE", "Configuration refused: first") &&
               entry_has(&entry, "PROBLEMS", "first"));
        entry_free(&entry);

        (void)problems_add(&problems, NULL, "second");
        (void)problems_add(&problems, NULL, "third");
        report_problems(bench.log, &problems);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "MESSAGE", "Configuration refused: first (and 2 more)") &&
               entry_has(&entry, "PROBLEMS", "first\nsecond\nthird"));
        entry_free(&entry);
        problems_free(&problems);

        report_problems(bench.log, &problems);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "MESSAGE", "Configuration refused: out of memory"));
        entry_free(&entry);
        bench_end(&bench);
}

static void test_worker_that_is_cut_is_told_with_its_requests(void)
{
        static const struct box_layout layout = {.n_flights = 4};
        const struct record_subject subject = {.worker_id = 2, .worker_pid = 7};
        struct record_field requests;
        struct bench bench = bench_new();
        struct flights flights = {0};
        struct entry entry;
        struct box *box;

        assert(box_new(&box, &layout) == 0);
        assert(flights_init(&flights, box->flights, 4, &box->header->flights_used) == 0);
        report_cut(bench.log, &subject, box);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "EVENT", "drain-timeout") && entry_has(&entry, "IN_FLIGHT", "0"));
        assert(entry_find(&entry, "REQUESTS", &requests) == 0);
        assert(entry_has(&entry, "MESSAGE",
                         "Worker 2 (pid 7) did not end within graceful_timeout, it is aborted; 0 "
                         "requests in flight"));
        entry_free(&entry);

        assert(flight_begin(&flights, "one", "192.0.2.1", "/slow", strlen("/slow"), 1));
        report_cut(bench.log, &subject, box);
        entry = entry_of(&bench);
        assert(entry_has(&entry, "IN_FLIGHT", "1") && entry_has(&entry, "WORKER_PID", "7"));
        assert(entry_find(&entry, "REQUESTS", &requests) == 1 &&
               memmem(requests.value, requests.size, "/slow from 192.0.2.1",
                      strlen("/slow from 192.0.2.1")));
        entry_free(&entry);
        flights_done(&flights);
        box_free(box);
        bench_end(&bench);
}

static void test_recycled_worker(void)
{
        struct bench bench = bench_new();
        struct entry entry;

        report_recycled(bench.log, &(struct recycled){
                                           .subject = {.worker_id = 2, .worker_pid = 7},
                                           .reason = "max_requests",
                                           .requests = 1003,
                                           .memory = 3 << 19,
                                           .age_usec = 61500000,
                                   });
        entry = entry_of(&bench);
        assert(entry_has(&entry, "EVENT", "worker-recycled"));
        assert(entry_has(&entry, "REASON", "max_requests"));
        assert(entry_has(&entry, "REQUEST_COUNT", "1003"));
        assert(entry_has(&entry, "MEMORY_BYTES", "1572864"));
        assert(entry_has(&entry, "AGE_USEC", "61500000"));
        assert(entry_has(&entry, "MESSAGE",
                         "Worker 2 (pid 7) is replaced by a fresh one: max_requests; 1003 "
                         "requests, 1.5 MiB of its own, 61.5 s old"));
        entry_free(&entry);
        bench_end(&bench);
}

int main(void)
{
        test_event_of_the_service_has_no_worker();
        test_a_changed_number_of_workers_is_told_with_its_reason();
        test_all_problems_are_in_one_record();
        test_worker_that_is_cut_is_told_with_its_requests();
        test_recycled_worker();
        return 0;
}
