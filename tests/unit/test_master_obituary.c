/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the end of a process looks in the journal, out of how it ended and what its box says. */
#include "master/obituary.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#include "test_log_journald.h"

static const struct record_subject worker = {.worker_pid = 77, .worker_id = 3, .generation = 2};

struct bench {
        struct journald journald;
        struct log *log;
        struct box *box;
};

static struct bench bench_new(void)
{
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 1 << 20};
        struct bench bench = {.log = NULL};

        const struct box_layout layout = {.n_flights = 40};

        assert(box_new(&bench.box, &layout) == 0);
        journald_start(&bench.journald);
        assert(log_open(&bench.log, &options) == 0);
        return bench;
}

static void bench_end(struct bench *bench)
{
        (void)log_close(bench->log, 0, false);
        box_free(bench->box);
        journald_remove(&bench->journald);
}

static struct entry entry_of(struct bench *bench)
{
        struct entry entry;

        assert(log_ship(bench->log) == 0);
        assert(journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
        return entry;
}

static struct entry told(struct bench *bench, const struct death *death)
{
        static struct obituary texts;
        struct record record;

        texts = (struct obituary){0};
        obituary_record(&record, &texts, death, bench->box);
        assert(log_commit(bench->log, &record) == 0);
        return entry_of(bench);
}

struct ending {
        int code;
        int status;
        bool leaving;
        const char *event;
        const char *field; /* NULL: none of the two */
        const char *value;
        const char *message;
};

static void check_ending(struct bench *bench, const struct ending *ending)
{
        const struct death death = {
                .subject = worker,
                .known = true,
                .how = {.si_code = ending->code, .si_status = ending->status},
                .leaving = ending->leaving,
                .age_usec = 1500000,
        };
        struct record_field field;
        struct entry entry = told(bench, &death);

        assert(entry_has(&entry, "EVENT", ending->event));
        assert(entry_has(&entry, "WORKER_PID", "77") && entry_has(&entry, "WORKER_ID", "3") &&
               entry_has(&entry, "GENERATION", "2") && entry_has(&entry, "AGE_USEC", "1500000"));
        assert(entry_has(&entry, ending->field, ending->value));
        assert(entry_find(&entry, "EXIT_CODE", &field) + entry_find(&entry, "SIGNAL", &field) == 1);
        assert(entry_has(&entry, "MESSAGE", ending->message));
        entry_free(&entry);
}

static void test_each_way_to_end_is_told_apart(void)
{
        static const struct ending endings[] = {
                {CLD_EXITED, 0, true, "worker-exited", "EXIT_CODE", "0",
                 "Worker 3 (pid 77) has ended"},
                {CLD_EXITED, 0, false, "worker-died", "EXIT_CODE", "0",
                 "Worker 3 (pid 77) died: exit code 0, 1.5 s old"},
                {CLD_EXITED, 70, true, "worker-died", "EXIT_CODE", "70",
                 "Worker 3 (pid 77) died: exit code 70, 1.5 s old"},
                {CLD_KILLED, SIGKILL, true, "worker-died", "SIGNAL", "KILL",
                 "Worker 3 (pid 77) died: signal KILL, 1.5 s old"},
                {CLD_DUMPED, SIGSEGV, false, "worker-died", "SIGNAL", "SEGV",
                 "Worker 3 (pid 77) died: signal SEGV, core dumped, 1.5 s old"},
                {CLD_KILLED, 40, false, "worker-died", "SIGNAL", "unknown",
                 "Worker 3 (pid 77) died: signal unknown, 1.5 s old"},
        };
        struct bench bench = bench_new();

        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
                check_ending(&bench, &endings[i]);
        bench_end(&bench);
}

int main(void)
{
        test_each_way_to_end_is_told_apart();
        return 0;
}
