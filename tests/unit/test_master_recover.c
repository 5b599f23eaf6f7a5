/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dead process left reaches the journal: all of it, once, whatever the journal does and
 * however many masters die on the way. */
#include "master/recover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/account.h"
#include "log/events.h"
#include "log/ring.h"
#include "skip.h"
#include "test_log_journald.h"

enum { SLOTS = 8, INBOX_MAX = 4096, FIRST_PASSED = 3, BOXES_MAX = 1024 };

/* A hang is a failure. */
#define TIMEOUT_SEC 60

/* How long a step may take that must not wait for anything. */
#define PROMPT_USEC (500 * USEC_PER_MSEC)

/* Longer than any pause that the log makes of its own accord. */
#define QUIET_USEC (200 * USEC_PER_MSEC)

static const struct record_subject subject = {.worker_pid = 77, .worker_id = 3, .generation = 2};

static const struct death killed = {
        .subject = {.worker_pid = 77, .worker_id = 3, .generation = 2},
        .known = true,
        .how = {.si_code = CLD_KILLED, .si_status = SIGKILL},
        .age_usec = 1500000,
};

/* -- the journal -- */

struct scene {
        struct journald journald;
        struct entry inbox[INBOX_MAX]; /* all that it was sent */
        size_t n;
        struct log *log; /* the master's */
        struct recoveries recoveries;
};

static void scene_connect(struct scene *scene, enum log_target target, int console)
{
        const struct log_options options = {.target = LOG_TARGET_JOURNAL,
                                            .level = 6,
                                            .console = console,
                                            .buffer_size = 1 << 20};

        scene->recoveries = (struct recoveries){.target = target, .console = console};
        assert(log_open(&scene->log, &options) == 0);
        scene->recoveries.log = scene->log;
        assert(sd_event_new(&scene->recoveries.event) >= 0);
}

static struct scene *scene_new(void)
{
        struct scene *scene = calloc(1, sizeof(*scene));

        assert(scene);
        journald_start(&scene->journald);
        scene_connect(scene, LOG_TARGET_JOURNAL, -1);
        return scene;
}

static bool well_formed(const struct entry *entry)
{
        const char *cursor = entry->bytes;
        struct record_field field;
        size_t name_size;
        int r;

        do
                r = record_next_field(&cursor, entry->bytes + entry->size, &field, &name_size);
        while (r > 0);
        return r == 0 && entry->size > 0;
}

/* Return: whether there was one. An empty datagram only asks whether journald lives; what was
 * scribbled over journald ignores. */
static bool receive(struct scene *scene)
{
        struct entry entry;

        if (!journald_receive(&scene->journald, &entry, MSG_DONTWAIT))
                return false;
        if (!well_formed(&entry)) {
                entry_free(&entry);
                return true;
        }
        assert(scene->n < INBOX_MAX);
        entry.bytes = realloc(entry.bytes, entry.size);
        scene->inbox[scene->n++] = entry;
        return true;
}

/* The journal reads all that it is sent. */
static void exchange(struct scene *scene)
{
        do {
                recoveries_ship(&scene->recoveries);
                (void)log_ship(scene->log);
        } while (receive(scene));
}

/* The same for a log that was full: there is room when the log has looked again what was read. */
static void exchange_all(struct scene *scene)
{
        uint64_t last = now_usec();

        while (now_usec() < last + QUIET_USEC) {
                size_t before = scene->n;

                exchange(scene);
                if (scene->n > before)
                        last = now_usec();
                else
                        (void)poll(NULL, 0, 1);
        }
}

/* The master stops; nothing is left to do. */
static void scene_end(struct scene *scene)
{
        exchange(scene);
        recoveries_close(&scene->recoveries, USEC_PER_SEC);
        assert(!scene->recoveries.first && scene->recoveries.n == 0);
        assert(!sd_event_unref(scene->recoveries.event));
        assert(log_close(scene->log, USEC_PER_SEC, false));
        while (scene->n > 0)
                entry_free(&scene->inbox[--scene->n]);
        journald_remove(&scene->journald);
        free(scene);
}

static bool marked(const struct entry *entry)
{
        return entry_has(entry, "REPLAYED", "1");
}

/* Entries with that field which may be there before, or may not. */
static unsigned count(const struct scene *scene, const char *name, const char *value, bool again)
{
        unsigned n = 0;

        for (size_t i = 0; i < scene->n; i++)
                n += entry_has(&scene->inbox[i], name, value) && marked(&scene->inbox[i]) == again;
        return n;
}

static const struct entry *find(const struct scene *scene, const char *name, const char *value)
{
        for (size_t i = 0; i < scene->n; i++)
                if (entry_has(&scene->inbox[i], name, value))
                        return &scene->inbox[i];
        abort();
}

/* Told once, as this. */
static void check_access(const struct scene *scene, const char *id, const char *outcome,
                         const char *status)
{
        const struct entry *entry = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < scene->n; i++) {
                if (!entry_has(&scene->inbox[i], "REQUEST_ID", id) ||
                    !entry_has(&scene->inbox[i], "RECORD", "access") || marked(&scene->inbox[i]))
                        continue;
                entry = &scene->inbox[i];
                n++;
        }
        assert(n == 1);
        assert(entry_has(entry, "OUTCOME", outcome) && entry_has(entry, "HTTP_STATUS", status));
        assert(entry_has(entry, "WORKER_PID", "77") && entry_has(entry, "WORKER_ID", "3") &&
               entry_has(entry, "GENERATION", "2"));
}

/* -- the dead -- */

struct worker {
        struct stored_box stored;
        struct flights flights;
        struct log *log;
};

static void identify(struct box *box)
{
        struct box_identity *identity = &box->header->identity;

        atomic_store(&identity->pid, subject.worker_pid);
        atomic_store(&identity->id, subject.worker_id);
        atomic_store(&identity->generation, subject.generation);
        atomic_store(&identity->started_usec, now_usec());
}

static struct worker worker_start(size_t buffer_size)
{
        const struct box_layout layout = {.n_flights = SLOTS,
                                          .log_size = log_memory_size(buffer_size)};
        struct log_options options = {.target = LOG_TARGET_JOURNAL,
                                      .level = 6,
                                      .console = -1,
                                      .buffer_size = buffer_size,
                                      .subject = subject};
        struct store store = {0};
        struct worker worker = {0};

        assert(store_new(&store, &layout, &worker.stored) == 0);
        identify(worker.stored.box);
        options.memory = worker.stored.box->log;
        assert(log_open(&worker.log, &options) == 0);
        assert(flights_init(&worker.flights, worker.stored.box->flights, SLOTS,
                            &worker.stored.box->header->flights_used) == 0);
        return worker;
}

/* Nothing of it remains but the box. */
static void worker_die(struct worker *worker)
{
        log_abandon(worker->log);
        flights_done(&worker->flights);
}

static struct flight *begin(struct worker *worker, const char *id)
{
        struct flight *flight = flight_begin(&worker->flights, id, "192.0.2.1", "/", 1, now_usec());

        assert(flight);
        flight_describe(flight, "GET", "HTTP/1.1", "shop");
        flight_run(flight);
        return flight;
}

static int commit_access(struct worker *worker, const char *id, struct ticket *ticket)
{
        struct record record;

        record_init(&record, RECORD_ACCESS, 6);
        record_subject(&record, &subject);
        record_string(&record, "MESSAGE", "done");
        record_string(&record, "REQUEST_ID", id);
        record_string(&record, "OUTCOME", "ok");
        record_number(&record, "HTTP_STATUS", 200);
        return log_commit_for(worker->log, &record, ticket);
}

static int commit_line(struct worker *worker, unsigned number)
{
        static char filler[256];
        struct record record;

        memset(filler, 'x', sizeof(filler));
        record_init(&record, RECORD_OUTPUT, 6);
        record_subject(&record, &subject);
        record_number(&record, "LINE", number);
        record_bytes(&record, "MESSAGE", filler, sizeof(filler));
        return log_commit(worker->log, &record);
}

/* Each line is there once, and marked when it is there again. */
static void check_lines(const struct scene *scene, unsigned n)
{
        char number[16];

        for (unsigned i = 0; i < n; i++) {
                (void)snprintf(number, sizeof(number), "%u", i);
                assert(count(scene, "LINE", number, false) == 1);
        }
}

/* -- one death -- */

static void test_everything_that_a_worker_left_is_told_once(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);
        struct flight *over = begin(&worker, "over"), *settled = begin(&worker, "settled");
        const struct entry *entry;

        assert(commit_line(&worker, 0) == 0);
        assert(commit_access(&worker, "over", &over->ticket) == 0);
        flight_end(&worker.flights, over);
        (void)begin(&worker, "runs");
        flight_answer(begin(&worker, "answered"), 404, 5);
        /* It died between the record and the end of the flight. */
        assert(commit_access(&worker, "settled", &settled->ticket) == 0);
        worker_die(&worker);

        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        assert(!worker.stored.box);
        exchange(scene);
        assert(scene->n == 6);
        check_lines(scene, 1);
        check_access(scene, "over", "ok", "200");
        check_access(scene, "settled", "ok", "200");
        check_access(scene, "runs", "worker-died", "503");
        check_access(scene, "answered", "worker-died", "404");
        entry = find(scene, "EVENT", "worker-died");
        assert(entry_has(entry, "WORKER_PID", "77") && entry_has(entry, "SIGNAL", "KILL") &&
               entry_has(entry, "IN_FLIGHT", "2"));
        scene_end(scene);
}

static void test_request_of_which_the_record_was_lost_is_counted_and_not_told(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(LOG_BUFFER_MIN);
        struct flight *lost = begin(&worker, "lost");
        unsigned n = 0, n_lost = 1;

        journald_stop(&scene->journald);
        while (commit_line(&worker, n) == 0)
                n++;
        while (commit_access(&worker, "lost", &lost->ticket) == 0)
                n++;
        worker_die(&worker);
        journald_listen(&scene->journald);

        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        exchange(scene);
        assert(entry_number(find(scene, "EVENT", "log-lost"), "LOST_OUTPUT") == 1);
        assert(entry_number(find(scene, "EVENT", "log-lost"), "LOST_ACCESS") == n_lost);
        assert(entry_has(find(scene, "EVENT", "worker-died"), "IN_FLIGHT", "0"));
        assert(scene->n == n + 2 && count(scene, "OUTCOME", "worker-died", false) == 0);
        scene_end(scene);
}

static void test_what_a_worker_had_sent_already_is_marked(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);

        assert(commit_line(&worker, 0) == 0 && commit_line(&worker, 1) == 0);
        assert(log_ship(worker.log) == 0);
        assert(receive(scene) && receive(scene));
        assert(commit_line(&worker, 2) == 0);
        worker_die(&worker);

        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        exchange(scene);
        check_lines(scene, 3);
        assert(count(scene, "LINE", "0", true) == 1 && count(scene, "LINE", "1", true) == 1 &&
               count(scene, "LINE", "2", true) == 0);
        assert(count(scene, "EVENT", "worker-died", false) == 1);
        scene_end(scene);
}

static void test_worker_that_ended_well_leaves_nothing_but_the_word_of_it(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);
        struct death death = {
                .subject = subject, .known = true, .how = {.si_code = CLD_EXITED}, .leaving = true};

        worker_die(&worker);
        recover(&scene->recoveries, &worker.stored, NULL, &death);
        exchange(scene);
        assert(scene->n == 1 && count(scene, "EVENT", "worker-exited", false) == 1);
        scene_end(scene);
}

/* What was sent is in safety a second later, without anybody's doing. */
static void test_loop_ends_a_recovery_by_itself(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);
        uint64_t end = now_usec() + 10 * USEC_PER_SEC;

        (void)begin(&worker, "runs");
        worker_die(&worker);
        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        exchange(scene);
        while (scene->recoveries.n > 0) {
                assert(sd_event_run(scene->recoveries.event, 10 * USEC_PER_SEC) >= 0);
                assert(now_usec() < end);
                exchange(scene);
        }
        assert(scene->n == 2);
        scene_end(scene);
}

static void test_console_takes_all_at_once(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);
        char text[8192] = "";
        int ends[2];

        assert(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        scene->recoveries.target = LOG_TARGET_CONSOLE;
        scene->recoveries.console = ends[1];
        assert(commit_line(&worker, 0) == 0);
        (void)begin(&worker, "runs");
        worker_die(&worker);
        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        recoveries_ship(&scene->recoveries);
        assert(scene->recoveries.n == 0);
        assert(read(ends[0], text, sizeof(text) - 1) > 0);
        assert(strstr(text, "xxx") && strstr(text, "worker-died") &&
               strstr(text, "GET / HTTP/1.1"));
        assert(close(ends[0]) == 0 && close(ends[1]) == 0);
        scene_end(scene);
}

static void test_deaths_do_not_wait_for_each_other(void)
{
        struct scene *scene = scene_new();

        for (unsigned i = 0; i < 5; i++) {
                struct worker worker = worker_start(LOG_BUFFER_MIN);
                char id[16];

                (void)snprintf(id, sizeof(id), "runs-%u", i);
                (void)begin(&worker, id);
                worker_die(&worker);
                recover(&scene->recoveries, &worker.stored, NULL, &killed);
        }
        assert(scene->recoveries.n == 5);
        exchange(scene);
        assert(scene->n == 10 && count(scene, "EVENT", "worker-died", false) == 5);
        check_access(scene, "runs-0", "worker-died", "503");
        check_access(scene, "runs-4", "worker-died", "503");
        scene_end(scene);
}

/* -- a journal that does not read, and masters that die -- */

/* In a process of its own, which is gone afterwards as if it had been killed. */
static void in_other_master(struct scene *scene, struct box *box,
                            void (*act)(struct scene *scene, struct stored_box *stored))
{
        struct stored_box stored = {.name = "blackbox-1", .kept = true};
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0) {
                (void)alarm(TIMEOUT_SEC);
                assert(box_open(&stored.box, fcntl(box->fd, F_DUPFD_CLOEXEC, 0)) == 0);
                log_abandon(scene->log);
                scene_connect(scene, LOG_TARGET_JOURNAL, -1);
                act(scene, &stored);
                _exit(0);
        }
        assert(waitpid(child, &status, 0) == child);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void begin_and_die(struct scene *scene, struct stored_box *stored)
{
        uint64_t before = now_usec();

        recover(&scene->recoveries, stored, NULL, &killed);
        for (unsigned i = 0; i < 5; i++)
                recoveries_ship(&scene->recoveries);
        assert(now_usec() - before < PROMPT_USEC);
        assert(scene->recoveries.n == 1);
}

static void begin_and_stop(struct scene *scene, struct stored_box *stored)
{
        uint64_t before = now_usec();

        recover(&scene->recoveries, stored, NULL, &killed);
        recoveries_close(&scene->recoveries, 0);
        assert(now_usec() - before < PROMPT_USEC);
        assert(scene->recoveries.n == 0);
}

static void recover_again(struct scene *scene, struct worker *worker)
{
        recover(&scene->recoveries, &worker->stored, NULL, &killed);
        exchange_all(scene);
        assert(count(scene, "EVENT", "worker-died", false) == 1);
        check_access(scene, "runs", "worker-died", "503");
        check_access(scene, "answered", "worker-died", "404");
}

static void test_journal_that_does_not_read_blocks_nothing_and_loses_nothing(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);

        for (unsigned i = 0; i < 1000; i++)
                assert(commit_line(&worker, i) == 0);
        (void)begin(&worker, "runs");
        flight_answer(begin(&worker, "answered"), 404, 5);
        worker_die(&worker);

        in_other_master(scene, worker.stored.box, begin_and_die);
        in_other_master(scene, worker.stored.box, begin_and_die);
        in_other_master(scene, worker.stored.box, begin_and_stop);
        recover_again(scene, &worker);
        check_lines(scene, 1000);
        scene_end(scene);
}

static void test_journal_that_is_away_blocks_nothing_and_loses_nothing(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(1 << 20);

        journald_stop(&scene->journald);
        for (unsigned i = 0; i < 100; i++)
                assert(commit_line(&worker, i) == 0);
        (void)begin(&worker, "runs");
        flight_answer(begin(&worker, "answered"), 404, 5);
        worker_die(&worker);

        in_other_master(scene, worker.stored.box, begin_and_die);
        in_other_master(scene, worker.stored.box, begin_and_stop);
        in_other_master(scene, worker.stored.box, begin_and_die);
        journald_listen(&scene->journald);
        recover_again(scene, &worker);
        check_lines(scene, 100);
        assert(scene->n == 103);
        scene_end(scene);
}

/* Neither the end nor the requests fit behind what the worker left. */
static void test_full_log_is_emptied_first(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(LOG_BUFFER_MIN);
        struct record record;
        unsigned n = 0;

        journald_stop(&scene->journald);
        (void)begin(&worker, "runs");
        flight_answer(begin(&worker, "answered"), 404, 5);
        while (commit_line(&worker, n) == 0)
                n++;
        do { /* with what is kept for these */
                record_event(&record, EVENT_WORKER_HUNG, &subject);
                record_string(&record, "MESSAGE", "hangs");
        } while (log_commit(worker.log, &record) == 0);
        worker_die(&worker);

        in_other_master(scene, worker.stored.box, begin_and_die);
        in_other_master(scene, worker.stored.box, begin_and_stop);
        journald_listen(&scene->journald);
        recover_again(scene, &worker);
        check_lines(scene, n);
        assert(count(scene, "EVENT", "log-lost", false) == 1);
        assert(entry_number(find(scene, "EVENT", "log-lost"), "LOST") == 2);
        scene_end(scene);
}

/* -- too many -- */

static struct stored_box empty_box(struct store *store)
{
        const struct box_layout layout = {.n_flights = 1,
                                          .log_size = log_memory_size(LOG_BUFFER_MIN)};
        struct stored_box stored;

        assert(store_new(store, &layout, &stored) == 0);
        return stored;
}

static bool raise_descriptor_limit(rlim_t wanted)
{
        struct rlimit limit;

        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (limit.rlim_max < wanted)
                return false;
        if (limit.rlim_cur < wanted)
                limit.rlim_cur = wanted;
        return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void test_of_too_many_the_oldest_is_given_up(void)
{
        struct scene *scene = scene_new();
        struct store store = {0};
        const struct entry *entry;

        if (!raise_descriptor_limit(4 * BOXES_MAX)) {
                not_tried = "too few descriptors for too many black boxes";
                scene_end(scene);
                return;
        }
        for (unsigned i = 0; i < BOXES_MAX + 2; i++) {
                struct stored_box stored = empty_box(&store);

                recover(&scene->recoveries, &stored, NULL, &killed);
        }
        assert(scene->recoveries.n == BOXES_MAX);
        (void)log_ship(scene->log);
        while (receive(scene))
                ;
        assert(scene->n == 2 && count(scene, "EVENT", "blackbox-refused", false) == 2);
        entry = find(scene, "MESSAGE",
                     "Black box blackbox-1: given up, too many are waiting for the journal");
        assert(entry_has(entry, "WORKER_PID", "77"));

        recoveries_close(&scene->recoveries, 0); /* nobody will ever tell of the others */
        scene_end(scene);
}

/* -- damage -- */

static void test_box_without_a_log_is_refused(void)
{
        static const struct box_layout layouts[] = {{.n_flights = 1},
                                                    {.n_flights = 1, .log_size = 4096}};
        struct scene *scene = scene_new();
        struct store store = {0};

        for (size_t i = 0; i < 2; i++) {
                struct stored_box stored;

                assert(store_new(&store, &layouts[i], &stored) == 0);
                recover(&scene->recoveries, &stored, NULL, &killed);
                assert(!stored.box && scene->recoveries.n == 0);
        }
        exchange(scene);
        assert(scene->n == 2 && count(scene, "EVENT", "blackbox-refused", false) == 2);
        assert(find(scene, "MESSAGE", "Black box blackbox-2: Bad message"));
        scene_end(scene);
}

static void test_of_a_damaged_log_what_can_be_read_is_told(void)
{
        struct scene *scene = scene_new();
        struct worker worker = worker_start(LOG_BUFFER_MIN);
        char *log = worker.stored.box->log;

        for (unsigned i = 0; i < 10; i++)
                assert(commit_line(&worker, i) == 0);
        (void)begin(&worker, "runs");
        worker_die(&worker);
        /* The first of ten is whole. */
        memset(log + log_memory_size(0) + 512, 0xee, 4096);

        recover(&scene->recoveries, &worker.stored, NULL, &killed);
        exchange(scene);
        assert(count(scene, "EVENT", "blackbox-refused", false) == 1);
        assert(count(scene, "EVENT", "worker-died", false) == 1);
        check_access(scene, "runs", "worker-died", "503");
        assert(count(scene, "LINE", "0", false) == 1 && count(scene, "LINE", "9", false) == 0);
        assert(entry_number(find(scene, "EVENT", "log-lost"), "LOST_OUTPUT") >= 8);
        scene_end(scene);
}

static void scribble(void *memory, size_t size, unsigned *seed)
{
        unsigned char *bytes = memory;

        for (size_t i = 0; i < size; i++)
                bytes[i] = (unsigned char)(rand_r(seed) >> 8);
}

/* Whatever it is, the recovery ends, and tells of the death. */
static void test_any_scribbled_box_is_recovered_from(void)
{
        struct scene *scene = scene_new();
        unsigned seed = 1;

        for (unsigned round = 0; round < 200; round++) {
                struct worker worker = worker_start(LOG_BUFFER_MIN);
                struct box *box = worker.stored.box;
                char *log = box->log;

                for (unsigned i = 0; i < 20; i++)
                        assert(commit_line(&worker, i) == 0);
                (void)begin(&worker, "runs");
                worker_die(&worker);
                if (round % 4 == 0)
                        scribble(log, log_memory_size(0), &seed);
                if (round % 4 == 1)
                        scribble(log + log_memory_size(0), LOG_BUFFER_MIN, &seed);
                if (round % 4 == 2)
                        scribble(box->flights, SLOTS * sizeof(struct flight), &seed);
                if (round % 4 == 3)
                        scribble(log + (unsigned)rand_r(&seed) % 512, 8, &seed);
                recover(&scene->recoveries, &worker.stored, NULL, &killed);
                exchange(scene);
        }
        assert(count(scene, "EVENT", "worker-died", false) +
                       count(scene, "EVENT", "worker-died", true) ==
               200);
        scene_end(scene);
}

/* -- what a former master left -- */

static int passed_box(pid_t pid, unsigned id, uint32_t state)
{
        struct store store = {0};
        struct stored_box stored = empty_box(&store);
        struct box_identity *identity = &stored.box->header->identity;
        int fd;

        atomic_store(&identity->pid, pid);
        atomic_store(&identity->id, id);
        atomic_store(&identity->generation, id > 0);
        atomic_store(&identity->state, state);
        atomic_store(&identity->started_usec, now_usec());
        fd = dup(stored.box->fd);
        store_leave(&stored);
        assert(fd >= 0 && dup2(fd, fd - 1) == fd - 1 && close(fd) == 0);
        return fd - 1;
}

static void pass(unsigned n, const char *names)
{
        char pid[16], number[16];

        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        (void)snprintf(number, sizeof(number), "%u", n);
        assert(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", number, 1) == 0 &&
               setenv("LISTEN_FDNAMES", names, 1) == 0);
}

static void dead_of_a_former_master_are_told(void)
{
        struct scene *scene;
        const struct entry *entry;
        struct box *box;

        assert(passed_box(500, 0, 0) == 3 && passed_box(501, 1, 2) == 4 &&
               passed_box(502, 0, BOX_ENDED) == 5 && passed_box(503, 2, 2) == 6);
        assert(box_open(&box, dup(6)) == 0);
        box->header->version++;
        pass(4, "blackbox-1:blackbox-2:blackbox-3:blackbox-4");
        scene = scene_new();

        recover_inherited(&scene->recoveries);
        assert(scene->recoveries.n == 3);
        exchange(scene);
        assert(scene->n == 3);
        assert(entry_has(find(scene, "EVENT", "master-died"), "MESSAGE",
                         "The former master (pid 500) ended without stopping the service"));
        entry = find(scene, "EVENT", "worker-died");
        assert(entry_has(entry, "WORKER_PID", "501") && entry_has(entry, "WORKER_ID", "1") &&
               entry_has(entry, "GENERATION", "1") && entry_number(entry, "AGE_USEC") < 10000000);
        assert(find(scene, "MESSAGE", "Black box blackbox-4: it was made by another version"));
        scene_end(scene);
        box_free(box);
}

static void in_child(void (*test)(void))
{
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0) {
                (void)alarm(TIMEOUT_SEC);
                (void)close_range(FIRST_PASSED, ~0U, 0);
                test();
                _exit(0);
        }
        assert(waitpid(child, &status, 0) == child);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
        (void)alarm(TIMEOUT_SEC);
        (void)unsetenv("NOTIFY_SOCKET");
        test_everything_that_a_worker_left_is_told_once();
        test_request_of_which_the_record_was_lost_is_counted_and_not_told();
        test_what_a_worker_had_sent_already_is_marked();
        test_worker_that_ended_well_leaves_nothing_but_the_word_of_it();
        test_console_takes_all_at_once();
        test_deaths_do_not_wait_for_each_other();
        test_loop_ends_a_recovery_by_itself();
        test_journal_that_does_not_read_blocks_nothing_and_loses_nothing();
        test_journal_that_is_away_blocks_nothing_and_loses_nothing();
        test_full_log_is_emptied_first();
        test_of_too_many_the_oldest_is_given_up();
        test_box_without_a_log_is_refused();
        test_of_a_damaged_log_what_can_be_read_is_told();
        test_any_scribbled_box_is_recovered_from();
        in_child(dead_of_a_former_master_are_told);
        return ending();
}
