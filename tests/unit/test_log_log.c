/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log as a whole, against a journald of the test: order, loss, waiting, threads, the end. */
#include "log/log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "test_log_journald.h"

/* A wait that ends with the test's failure, not its success. */
#define FOREVER_USEC (60 * USEC_PER_SEC)

/* What outlives a log. */
static alignas(4096) char memory[LOG_BUFFER_MIN + 2 * 4096];

struct scene {
        struct journald journald;
        struct log *log;
};

static struct log *log_of(uint64_t block_usec)
{
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL,
                .level = 6,
                .console = STDERR_FILENO,
                .memory = memory,
                .buffer_size = LOG_BUFFER_MIN,
                .block_usec = block_usec,
                .subject = {.worker_pid = 77, .worker_id = 1},
        };
        struct log *log = NULL;

        assert(log_memory_size(LOG_BUFFER_MIN) <= sizeof(memory));
        memset(memory, 0, sizeof(memory));
        assert(log_open(&log, &options) == 0);
        return log;
}

static void scene_begin(struct scene *scene, uint64_t block_usec)
{
        journald_start(&scene->journald);
        scene->log = log_of(block_usec);
}

static void scene_end(struct scene *scene)
{
        log_abandon(scene->log);
        journald_remove(&scene->journald);
}

/* All of it was read by now. */
static void scene_end_with(struct scene *scene, uint64_t lost)
{
        struct log_counters counters;

        assert(log_close(scene->log, FOREVER_USEC, true));
        counters = log_memory_counters(memory, log_memory_size(LOG_BUFFER_MIN));
        assert(counters.lost == lost);
        scene->log = NULL;
        scene_end(scene);
}

static int commit_of(struct log *log, enum record_kind kind, int priority, uint64_t number)
{
        struct record record;

        record_init(&record, kind, priority);
        record_number(&record, "NUMBER", number);
        record_string(&record, "MESSAGE", "one record\nof two lines");
        return log_commit(log, &record);
}

static int commit(struct log *log, uint64_t number)
{
        return commit_of(log, RECORD_ACCESS, 6, number);
}

/* Until the ring takes no more records of the kind. Return: how many it took. */
static uint64_t fill(struct log *log, enum record_kind kind, int priority, uint64_t first)
{
        uint64_t number = first;
        int r;

        while ((r = commit_of(log, kind, priority, number)) == 0)
                number++;
        assert(r == -ENOBUFS);
        return number - first;
}

static bool receive(struct scene *scene, struct entry *entry)
{
        return journald_receive(&scene->journald, entry, MSG_DONTWAIT);
}

/* Ship and receive until nothing is left: the records of @kind in order from @first on.
 * @reports: how many log-lost events came, @lost: what they count. Return: how many records. */
static uint64_t drain(struct scene *scene, uint64_t first, unsigned *reports, uint64_t *lost)
{
        struct entry entry;
        uint64_t n = 0;
        int r;

        do {
                r = log_ship(scene->log);
                while (receive(scene, &entry)) {
                        if (entry_has(&entry, "EVENT", "log-lost")) {
                                ++*reports;
                                *lost += entry_number(&entry, "LOST");
                        } else {
                                assert(entry_number(&entry, "NUMBER") == first + n);
                                n++;
                        }
                        entry_free(&entry);
                }
        } while (r == -EAGAIN);
        return n;
}

/* The socket is found again only after a while. */
static void ship_when_back(struct log *log)
{
        uint64_t end = now_usec() + FOREVER_USEC;

        while (log_ship(log) == -EAGAIN && log_output_fd(log) < 0) {
                assert(now_usec() < end);
                (void)poll(NULL, 0, 10);
        }
}

static void test_open_refuses_a_buffer_that_is_too_small(void)
{
        const struct log_options options = {.buffer_size = LOG_BUFFER_MIN - 1};
        struct log *log = (void *)&log;

        assert(log_open(&log, &options) == -EINVAL && log == (void *)&log);
        assert(log_close(NULL, 0, false));
        log_abandon(NULL);
}

static void test_what_is_committed_arrives_byte_by_byte(void)
{
        static const char value[] = "a\n\nMESSAGE=forged\nPRIORITY=0\n\0\xff=";
        struct record_field field;
        struct record record;
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, 0);
        record_init(&record, RECORD_APP, 5);
        record_string(&record, "MESSAGE", "true");
        record_bytes(&record, "VALUE", value, sizeof(value) - 1);
        record_bytes(&record, "RAW", "\0\xff", 2);
        assert(log_commit(scene.log, &record) == 0 && log_ship(scene.log) == 0);
        assert(receive(&scene, &entry));
        assert(entry_has(&entry, "MESSAGE", "true") && entry_has(&entry, "PRIORITY", "5"));
        assert(entry_find(&entry, "VALUE", &field) == 1 && field.size == sizeof(value) - 1 &&
               memcmp(field.value, value, field.size) == 0);
        assert(entry_find(&entry, "RAW", &field) == 1 && field.size == 2);
        entry_free(&entry);
        assert(!receive(&scene, &entry));
        scene_end_with(&scene, 0);
}

static void test_a_large_record_arrives_whole(void)
{
        const size_t size = 200000;
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 4 << 20};
        char *value = malloc(size);
        struct record_field field;
        struct record record;
        struct journald journald;
        struct entry entry;
        struct log *log;

        assert(value);
        memset(value, '\n', size);
        journald_start(&journald);
        assert(log_open(&log, &options) == 0);
        record_init(&record, RECORD_APP, 5);
        record_bytes(&record, "VALUE", value, size);
        assert(log_commit(log, &record) == 0 && log_ship(log) == 0);
        assert(journald_receive(&journald, &entry, MSG_DONTWAIT));
        assert(entry_find(&entry, "VALUE", &field) == 1 && field.size == size &&
               memcmp(field.value, value, size) == 0);
        entry_free(&entry);
        free(value);
        log_abandon(log);
        journald_remove(&journald);
}

static void test_a_full_receiver_changes_no_order(void)
{
        struct scene scene;
        unsigned reports = 0;
        uint64_t lost = 0;

        scene_begin(&scene, 0);
        for (uint64_t i = 0; i < 300; i++)
                assert(commit(scene.log, i) == 0);
        assert(drain(&scene, 0, &reports, &lost) == 300 && reports == 0);
        scene_end_with(&scene, 0);
}

static void test_a_receiver_that_goes_and_comes_back_gets_everything(void)
{
        struct scene scene;
        unsigned reports = 0;
        uint64_t lost = 0;

        scene_begin(&scene, 0);
        assert(commit(scene.log, 0) == 0);
        assert(drain(&scene, 0, &reports, &lost) == 1);
        journald_stop(&scene.journald);
        for (uint64_t i = 1; i <= 5; i++)
                assert(commit(scene.log, i) == 0);
        assert(log_ship(scene.log) == -EAGAIN && log_output_fd(scene.log) == -1);
        journald_listen(&scene.journald);
        ship_when_back(scene.log);
        /* The one that was read just before may not be written down. */
        assert(drain(&scene, 0, &reports, &lost) == 6 && reports == 0);
        scene_end(&scene);
}

static void test_drop_counts_exactly_and_reports_once(void)
{
        struct scene scene;
        struct entry entry;
        unsigned reports = 0;
        uint64_t taken, lost = 0;

        scene_begin(&scene, 0);
        taken = fill(scene.log, RECORD_ACCESS, 6, 0);
        for (int i = 0; i < 41; i++)
                assert(commit(scene.log, 0) == -ENOBUFS);
        assert(log_counters(scene.log).lost == 42);
        assert(drain(&scene, 0, &reports, &lost) == taken);
        assert(reports == 1 && lost == 42);
        assert(!receive(&scene, &entry));
        scene_end_with(&scene, 42); /* the report is a record, too */
}

static void test_the_report_names_the_classes_and_the_worker(void)
{
        static const char large[LOG_BUFFER_MIN];
        struct record record;
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, 0);
        record_init(&record, RECORD_OUTPUT, 6);
        record_string(&record, "bad name", "x");
        assert(log_commit(scene.log, &record) == -EINVAL);
        record_init(&record, RECORD_APP, 6);
        record_bytes(&record, "A", large, sizeof(large));
        assert(log_commit(scene.log, &record) == -EMSGSIZE);
        assert(log_ship(scene.log) == 0);
        assert(receive(&scene, &entry));
        assert(entry_has(&entry, "EVENT", "log-lost") && entry_has(&entry, "PRIORITY", "4"));
        assert(entry_has(&entry, "LOST", "2") && entry_has(&entry, "LOST_OUTPUT", "1"));
        assert(entry_has(&entry, "LOST_APP", "1") && entry_has(&entry, "LOST_ACCESS", "0"));
        assert(entry_has(&entry, "WORKER_PID", "77"));
        assert(entry_number(&entry, "LOST_SINCE_USEC") > 0);
        entry_free(&entry);
        assert(!receive(&scene, &entry));
        scene_end(&scene);
}

/* Return: how many of @n entries are reports. */
static unsigned receive_some(struct scene *scene, unsigned n)
{
        struct entry entry;
        unsigned reports = 0;

        while (n-- > 0) {
                assert(receive(scene, &entry));
                reports += entry_has(&entry, "EVENT", "log-lost");
                entry_free(&entry);
        }
        return reports;
}

static void test_while_loss_goes_on_reports_do_not_displace_records(void)
{
        struct scene scene;
        unsigned reports = 0;

        scene_begin(&scene, 0);
        (void)fill(scene.log, RECORD_ACCESS, 6, 0);
        for (int i = 0; i < 1000; i++) {
                reports += receive_some(&scene, 1);
                for (int j = 0; j < 4; j++)
                        (void)commit(scene.log, 0);
                reports += receive_some(&scene, 1);
                (void)log_ship(scene.log);
        }
        assert(log_counters(scene.log).lost > 1000);
        assert(reports >= 1 && reports <= 10); /* 1, unless the machine sleeps */
        scene_end(&scene);
}

static void test_events_and_warnings_have_room_when_access_records_have_none(void)
{
        struct scene scene;

        scene_begin(&scene, 0);
        (void)fill(scene.log, RECORD_ACCESS, 6, 0);
        assert(commit_of(scene.log, RECORD_EVENT, 6, 0) == 0);
        assert(commit_of(scene.log, RECORD_APP, 4, 0) == 0);
        assert(commit_of(scene.log, RECORD_APP, 5, 0) == -ENOBUFS);
        assert(commit(scene.log, 0) == -ENOBUFS);
        assert(fill(scene.log, RECORD_EVENT, 3, 0) > 10);
        scene_end(&scene);
}

static void test_block_waits_its_time_and_once(void)
{
        const uint64_t block_usec = 50 * USEC_PER_MSEC;
        struct scene scene;
        uint64_t before, waited;

        scene_begin(&scene, block_usec);
        before = now_usec();
        (void)fill(scene.log, RECORD_ACCESS, 6, 0);
        assert(now_usec() - before >= block_usec);

        before = now_usec();
        for (int i = 0; i < 40; i++) {
                assert(commit_of(scene.log, RECORD_EVENT, 3, 0) == 0); /* nobody waits for that */
                assert(commit(scene.log, 0) == -ENOBUFS);
        }
        waited = now_usec() - before;
        assert(waited < 40 * block_usec / 2);
        scene_end(&scene);
}

static void test_after_half_of_the_ring_was_free_it_is_waited_for_again(void)
{
        const uint64_t block_usec = 50 * USEC_PER_MSEC;
        struct scene scene;
        unsigned reports = 0;
        uint64_t taken, before, lost = 0;

        scene_begin(&scene, block_usec);
        taken = fill(scene.log, RECORD_ACCESS, 6, 0);
        assert(drain(&scene, 0, &reports, &lost) == taken && reports == 1 && lost == 1);
        before = now_usec();
        (void)fill(scene.log, RECORD_ACCESS, 6, 0);
        assert(now_usec() - before >= block_usec);
        scene_end(&scene);
}

struct committer {
        struct log *log;
        pthread_t thread;
        uint64_t n;
        unsigned id;
        int result;
        atomic_bool done;
};

static void *commit_once(void *arg)
{
        struct committer *committer = arg;

        committer->result = commit(committer->log, 0);
        return NULL;
}

static int commit_on_thread(struct log *log)
{
        struct committer committer = {.log = log};

        assert(pthread_create(&committer.thread, NULL, commit_once, &committer) == 0);
        assert(pthread_join(committer.thread, NULL) == 0);
        return committer.result;
}

static void test_another_thread_blocks_no_longer_than_it_may(void)
{
        const uint64_t block_usec = 50 * USEC_PER_MSEC;
        struct scene scene;
        uint64_t before;

        scene_begin(&scene, block_usec);
        (void)fill(scene.log, RECORD_EVENT, 6, 0);
        before = now_usec();
        assert(commit_on_thread(scene.log) == -ENOBUFS); /* the owner has waited already */
        assert(now_usec() - before < 10 * USEC_PER_SEC);
        scene_end(&scene);
}

static void *commit_several(void *arg)
{
        struct committer *committer = arg;

        for (int i = 0; i < 20 && committer->result == 0; i++)
                committer->result = commit(committer->log, 0);
        atomic_store(&committer->done, true);
        return NULL;
}

static void test_a_thread_that_waits_goes_on_when_there_is_room(void)
{
        struct committer committer = {0};
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, FOREVER_USEC);
        committer.log = scene.log;
        while (log_counters(scene.log).used < LOG_BUFFER_MIN - LOG_BUFFER_MIN / 8 - 1000)
                assert(commit(scene.log, 0) == 0);
        assert(pthread_create(&committer.thread, NULL, commit_several, &committer) == 0);
        while (!atomic_load(&committer.done)) {
                while (receive(&scene, &entry))
                        entry_free(&entry);
                (void)log_ship(scene.log);
        }
        assert(pthread_join(committer.thread, NULL) == 0 && committer.result == 0);
        assert(log_counters(scene.log).lost == 0);
        scene_end(&scene);
}

static bool readable(int fd)
{
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        return poll(&poll_fd, 1, 0) == 1;
}

static void test_the_owner_is_woken_by_others_only(void)
{
        struct scene scene;

        scene_begin(&scene, 0);
        assert(commit(scene.log, 0) == 0);
        assert(!readable(log_wake_fd(scene.log)));
        assert(log_ship(scene.log) == 0);
        assert(commit_on_thread(scene.log) == 0);
        assert(readable(log_wake_fd(scene.log)));
        assert(log_ship(scene.log) == 0);
        assert(!readable(log_wake_fd(scene.log)));
        scene_end(&scene);
}

static void test_the_level_decides_on_events_and_applications_alone(void)
{
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, 0);
        assert(log_enabled(scene.log, 6) && !log_enabled(scene.log, 7));
        log_set_level(scene.log, 3);
        assert(commit_of(scene.log, RECORD_APP, 4, 0) == 0);
        assert(commit_of(scene.log, RECORD_EVENT, 4, 0) == 0);
        assert(log_ship(scene.log) == 0 && !receive(&scene, &entry));
        assert(commit_of(scene.log, RECORD_APP, 3, 0) == 0);
        assert(commit_of(scene.log, RECORD_ACCESS, 6, 0) == 0);
        assert(commit_of(scene.log, RECORD_OUTPUT, 6, 0) == 0);
        assert(log_ship(scene.log) == 0);
        for (int i = 0; i < 3; i++) {
                assert(receive(&scene, &entry));
                entry_free(&entry);
        }
        scene_end_with(&scene, 0);
}

enum { THREADS = 4, RECORDS = 3000 };

/* Longer and shorter records, with newlines, each recognisable. */
static void *commit_many(void *arg)
{
        struct committer *committer = arg;
        char text[512];

        for (uint64_t i = 0; i < RECORDS; i++) {
                size_t size = (size_t)(i * 7 % sizeof(text));
                struct record record;

                memset(text, i % 3 == 0 ? '\n' : 'a' + (char)committer->id, size);
                record_init(&record, RECORD_APP, 6);
                record_number(&record, "COMMITTER", committer->id);
                record_number(&record, "NUMBER", i);
                record_bytes(&record, "TEXT", text, size);
                committer->n += log_commit(committer->log, &record) == 0;
        }
        return NULL;
}

static void check_entry(const struct entry *entry, uint64_t next[THREADS])
{
        uint64_t id = entry_number(entry, "COMMITTER"), i = entry_number(entry, "NUMBER");
        struct record_field text;

        assert(id < THREADS && i == next[id]++);
        assert(entry_find(entry, "TEXT", &text) == 1 && text.size == i * 7 % 512);
        for (size_t at = 0; at < text.size; at++)
                assert(((const char *)text.value)[at] == (i % 3 == 0 ? '\n' : 'a' + (char)id));
}

/* A lost wake-up fails here. */
static void wait_as_a_loop_does(struct log *log)
{
        struct pollfd wake = {.fd = log_wake_fd(log), .events = POLLIN};
        uint64_t now = now_usec(), end = log_wake_usec(log);
        uint64_t wait = end < now ? 0 : end - now;

        if (wait > FOREVER_USEC)
                assert(poll(&wake, 1, (int)(FOREVER_USEC / USEC_PER_MSEC)) == 1);
        else
                (void)poll(&wake, 1, (int)(wait / USEC_PER_MSEC));
}

static void test_records_of_threads_are_whole_and_each_threads_in_order(void)
{
        struct committer committers[THREADS];
        uint64_t next[THREADS] = {0}, received = 0;
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, FOREVER_USEC);
        for (unsigned i = 0; i < THREADS; i++) {
                committers[i] = (struct committer){.log = scene.log, .id = i};
                assert(pthread_create(&committers[i].thread, NULL, commit_many, &committers[i]) ==
                       0);
        }
        while (received < THREADS * RECORDS) {
                if (log_ship(scene.log) == 0 && !readable(scene.journald.fd))
                        wait_as_a_loop_does(scene.log);
                while (receive(&scene, &entry)) {
                        check_entry(&entry, next);
                        entry_free(&entry);
                        received++;
                }
        }
        for (unsigned i = 0; i < THREADS; i++) {
                assert(pthread_join(committers[i].thread, NULL) == 0);
                assert(committers[i].n == RECORDS);
        }
        assert(log_counters(scene.log).lost == 0);
        scene_end(&scene);
}

static void *receive_until_end(void *arg)
{
        struct journald *journald = arg;
        struct entry entry;
        bool end = false;

        while (!end) {
                assert(journald_receive(journald, &entry, 0));
                end = entry_number(&entry, "NUMBER") == 299;
                entry_free(&entry);
        }
        return NULL;
}

static void test_close_ships_everything_and_waits_until_it_is_read(void)
{
        struct scene scene;
        struct entry entry;
        pthread_t reader;
        uint64_t before = now_usec();

        scene_begin(&scene, 0);
        for (uint64_t i = 0; i < 300; i++)
                assert(commit(scene.log, i) == 0);
        assert(pthread_create(&reader, NULL, receive_until_end, &scene.journald) == 0);
        assert(log_close(scene.log, FOREVER_USEC, false));
        assert(!receive(&scene, &entry));
        assert(now_usec() - before < FOREVER_USEC / 2);
        assert(pthread_join(reader, NULL) == 0);
        journald_remove(&scene.journald);
}

/* Nobody reads until the log asks for it: then what was in the old queue is gone. */
static void *restart_and_receive(void *arg)
{
        struct journald *journald = arg;
        struct pollfd poll_fd = {.fd = journald->fd, .events = POLLIN};
        struct entry entry;

        assert(poll(&poll_fd, 1, (int)(FOREVER_USEC / USEC_PER_MSEC)) == 1);
        journald_stop(journald);
        journald_listen(journald);
        for (uint64_t i = 0; i < 3; i++) {
                assert(journald_receive(journald, &entry, 0));
                assert(entry_number(&entry, "NUMBER") == i);
                entry_free(&entry);
        }
        return NULL;
}

enum { SLOW_MSEC = 10, SLOW_RECORDS = 60 };

/* A journald that has much to do. */
static void *receive_slowly(void *data)
{
        unsigned *n = calloc(1, sizeof(*n));
        struct entry entry;

        assert(n);
        while (*n < SLOW_RECORDS) {
                assert(journald_receive(data, &entry, 0));
                entry_free(&entry);
                (*n)++;
                (void)poll(NULL, 0, SLOW_MSEC);
        }
        return n;
}

static void test_close_waits_as_long_as_the_journal_reads_on(void)
{
        struct scene scene;
        pthread_t reader;
        void *n;

        scene_begin(&scene, 0);
        for (unsigned i = 0; i < SLOW_RECORDS; i++)
                assert(commit_of(scene.log, RECORD_ACCESS, 6, i) == 0);
        assert(pthread_create(&reader, NULL, receive_slowly, &scene.journald) == 0);
        /* a quarter of what it takes, but twenty times the pause between two */
        assert(log_close(scene.log, 20 * SLOW_MSEC * USEC_PER_MSEC, true));
        scene.log = NULL;
        assert(pthread_join(reader, &n) == 0 && *(unsigned *)n == SLOW_RECORDS);
        free(n);
        scene_end(&scene);
}

static void test_close_sends_again_what_a_closed_queue_held(void)
{
        struct scene scene;
        pthread_t reader;

        scene_begin(&scene, 0);
        for (uint64_t i = 0; i < 3; i++)
                assert(commit(scene.log, i) == 0);
        assert(log_ship(scene.log) == 0);
        assert(pthread_create(&reader, NULL, restart_and_receive, &scene.journald) == 0);
        assert(log_close(scene.log, FOREVER_USEC, false));
        assert(pthread_join(reader, NULL) == 0);
        journald_remove(&scene.journald);
}

/* Standard error into a pipe; its reader, the old one in @ret_saved. */
static int catch_stderr(int *ret_saved)
{
        int ends[2];

        *ret_saved = dup(STDERR_FILENO);
        assert(*ret_saved >= 0 && pipe(ends) == 0);
        assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
        assert(close(ends[1]) == 0);
        return ends[0];
}

static void expect_stderr(int reader, int saved, const char *wanted)
{
        char text[4096] = "";

        assert(dup2(saved, STDERR_FILENO) == STDERR_FILENO && close(saved) == 0);
        assert(read(reader, text, sizeof(text) - 1) >= 0);
        if (!strstr(text, wanted))
                (void)fprintf(stderr, "got: %s\n", text);
        assert(strstr(text, wanted) && (*wanted || !*text));
        assert(close(reader) == 0);
}

static void test_close_tells_what_it_could_not_ship(void)
{
        struct scene scene;
        int saved, reader;

        scene_begin(&scene, 0);
        journald_stop(&scene.journald);
        for (uint64_t i = 0; i < 3; i++)
                assert(commit(scene.log, i) == 0);
        reader = catch_stderr(&saved);
        assert(!log_close(scene.log, 0, false));
        expect_stderr(reader, saved, "LOST=3");
        journald_listen(&scene.journald);
        journald_remove(&scene.journald);
}

static void test_abandon_ships_nothing(void)
{
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, 0);
        assert(commit(scene.log, 0) == 0);
        log_abandon(scene.log);
        assert(!receive(&scene, &entry));
        journald_remove(&scene.journald);
}

static void test_without_a_journal_auto_takes_the_console(void)
{
        struct log_options options = {
                .console = STDERR_FILENO, .level = 6, .buffer_size = LOG_BUFFER_MIN};
        struct journald journald;
        int saved, reader;
        struct log *log;

        journald_start(&journald);
        assert(log_open(&log, &options) == 0 && !log_is_console(log));
        log_abandon(log);
        journald_remove(&journald);

        reader = catch_stderr(&saved);
        assert(log_open(&log, &options) == 0 && log_is_console(log));
        assert(log_output_fd(log) == STDERR_FILENO);
        assert(commit(log, 5) == 0 && log_ship(log) == 0);
        assert(log_close(log, 0, false));
        expect_stderr(reader, saved, "NUMBER=5\n");
}

static void test_a_console_that_nobody_reads_loses_with_a_count(void)
{
        struct log_options options = {
                .target = LOG_TARGET_CONSOLE,
                .console = STDERR_FILENO,
                .level = 6,
                .buffer_size = LOG_BUFFER_MIN,
        };
        struct log *log;
        int saved, reader = catch_stderr(&saved);

        assert(close(reader) == 0);
        assert(log_open(&log, &options) == 0);
        assert(commit(log, 0) == 0 && log_ship(log) == 0);
        assert(log_counters(log).lost == 2); /* with the report of it */
        (void)log_close(log, 0, false);
        assert(dup2(saved, STDERR_FILENO) == STDERR_FILENO && close(saved) == 0);
}

static void test_memory_of_the_user_holds_the_records(void)
{
        struct log_counters counters;
        struct scene scene;

        scene_begin(&scene, 0);
        assert(commit(scene.log, 5) == 0);
        assert(memmem(memory, sizeof(memory), "NUMBER=5\n", 9));
        counters = log_memory_counters(memory, log_memory_size(LOG_BUFFER_MIN));
        assert(counters.used > 0 && counters.used == log_counters(scene.log).used);
        assert(counters.capacity == LOG_BUFFER_MIN && counters.shipped == 0 && counters.lost == 0);
        scene_end(&scene);
}

int main(void)
{
        assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        test_open_refuses_a_buffer_that_is_too_small();
        test_what_is_committed_arrives_byte_by_byte();
        test_a_large_record_arrives_whole();
        test_a_full_receiver_changes_no_order();
        test_a_receiver_that_goes_and_comes_back_gets_everything();
        test_drop_counts_exactly_and_reports_once();
        test_the_report_names_the_classes_and_the_worker();
        test_while_loss_goes_on_reports_do_not_displace_records();
        test_events_and_warnings_have_room_when_access_records_have_none();
        test_block_waits_its_time_and_once();
        test_after_half_of_the_ring_was_free_it_is_waited_for_again();
        test_another_thread_blocks_no_longer_than_it_may();
        test_a_thread_that_waits_goes_on_when_there_is_room();
        test_the_owner_is_woken_by_others_only();
        test_the_level_decides_on_events_and_applications_alone();
        test_records_of_threads_are_whole_and_each_threads_in_order();
        test_close_ships_everything_and_waits_until_it_is_read();
        test_close_waits_as_long_as_the_journal_reads_on();
        test_close_sends_again_what_a_closed_queue_held();
        test_close_tells_what_it_could_not_ship();
        test_abandon_ships_nothing();
        test_without_a_journal_auto_takes_the_console();
        test_a_console_that_nobody_reads_loses_with_a_count();
        test_memory_of_the_user_holds_the_records();
        return 0;
}
