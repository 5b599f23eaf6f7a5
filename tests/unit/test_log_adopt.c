/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of a process that was killed: nothing that was committed is missing, nothing is there
 * twice unmarked, every loss is told once, and each ticket says the truth. Killed at random moments
 * with threads, and at every instruction without.
 */
#include "log/log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "log/account.h"
#include "log/ring.h"
#include "skip.h"
#include "test_log_journald.h"

#define PAGE         4096
#define FOREVER_USEC (60 * USEC_PER_SEC)

/* All rounds with one kind of child; and how long a child lives at most. */
#define ROUNDS_USEC   (1200 * USEC_PER_MSEC)
#define LIFE_MAX_USEC 5000

/* Half a second does; a sanitizer of threads would take minutes. */
#define STEPS_USEC (10 * USEC_PER_SEC)

enum { THREADS = 2, NUMBERS = 1 << 15, REPORTS = 64 };

enum result { UNKNOWN, TAKEN, LOST };

/* An in-flight table: the number whose record is being committed, 0 when there is none. */
struct slot {
        _Atomic uint64_t number;
        struct ticket ticket;
};

/* What outlives the child. */
struct shared {
        alignas(16) char memory[LOG_BUFFER_MIN + PAGE];
        struct slot slots[THREADS];
        _Atomic uint8_t results[NUMBERS]; /* of log_commit_for(), as far as it returned */
};

/* What arrived at journald, by number, unmarked and marked; and the losses that it was told. */
struct arrivals {
        uint8_t fresh[NUMBERS], again[NUMBERS];
        struct {
                uint64_t lost, since;
        } reports[REPORTS];
        size_t n_reports;
        uint64_t lost;
};

static uint32_t next_random(uint32_t *state)
{
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

static struct shared *share(void)
{
        struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert(shared != MAP_FAILED);
        assert(log_memory_size(LOG_BUFFER_MIN) <= sizeof(shared->memory));
        return shared;
}

static struct log_options options_of(void *memory, uint64_t block_usec)
{
        return (struct log_options){
                .target = LOG_TARGET_JOURNAL,
                .console = STDERR_FILENO,
                .level = 6,
                .memory = memory,
                .buffer_size = LOG_BUFFER_MIN,
                .block_usec = block_usec,
                .subject = {.worker_pid = 77, .worker_id = 1},
        };
}

static struct log *open_log(void *memory, uint64_t block_usec)
{
        const struct log_options options = options_of(memory, block_usec);
        struct log *log = NULL;

        assert(log_open(&log, &options) == 0);
        return log;
}

static struct log *adopt(void *memory, int wanted)
{
        const struct log_options options = options_of(memory, 0);
        struct log *log = NULL;

        assert(log_adopt(&log, &options) == wanted && log);
        return log;
}

/* -- the process that is killed -- */

static int commit(struct log *log, uint64_t number, size_t size, struct ticket *ticket)
{
        static const char text[LOG_BUFFER_MIN];
        struct record record;

        record_init(&record, RECORD_ACCESS, 6);
        record_number(&record, "NUMBER", number);
        record_bytes(&record, "TEXT", text, size);
        return log_commit_for(log, &record, ticket);
}

/* As a worker does it: while the slot is taken, either its ticket is settled or nothing of the
 * record is anywhere. */
static int commit_in_slot(struct log *log, struct shared *shared, unsigned thread, uint64_t number,
                          size_t size)
{
        struct slot *slot = &shared->slots[thread];
        int r;

        atomic_store(&slot->number, 0);
        ticket_clear(&slot->ticket);
        atomic_store(&slot->number, number);
        r = commit(log, number, size, &slot->ticket);
        atomic_store(&shared->results[number], r == 0 ? TAKEN : LOST);
        return r;
}

struct committer {
        struct shared *shared;
        struct log *log;
        unsigned thread;
};

static void *commit_for_ever(void *arg)
{
        const struct committer *committer = arg;

        for (uint64_t number = 1 + committer->thread; number < NUMBERS; number += THREADS)
                (void)commit_in_slot(committer->log, committer->shared, committer->thread, number,
                                     number * 7 % 300);
        return NULL;
}

static void ship_for_ever(struct log *log)
{
        for (;;) {
                bool full = log_ship(log) == -EAGAIN;
                struct pollfd fd = {.fd = full ? log_output_fd(log) : log_wake_fd(log),
                                    .events = full ? POLLOUT : POLLIN};

                (void)poll(&fd, 1, 1);
        }
}

static pid_t start(struct shared *shared, uint64_t block_usec)
{
        struct committer committers[THREADS];
        pid_t pid = fork();
        pthread_t thread;
        struct log *log;

        assert(pid >= 0);
        if (pid > 0)
                return pid;
        log = open_log(shared->memory, block_usec);
        for (unsigned i = 0; i < THREADS; i++) {
                committers[i] = (struct committer){.shared = shared, .log = log, .thread = i};
                assert(pthread_create(&thread, NULL, commit_for_ever, &committers[i]) == 0);
        }
        ship_for_ever(log);
        _exit(1);
}

static void end(pid_t pid)
{
        int status;

        assert(kill(pid, SIGKILL) == 0);
        assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

/* -- what arrives -- */

/* A report that comes again is the same one. */
static void note_report(struct arrivals *arrivals, const struct entry *entry)
{
        uint64_t lost = entry_number(entry, "LOST"), since = entry_number(entry, "LOST_SINCE_USEC");

        for (size_t i = 0; i < arrivals->n_reports; i++)
                if (arrivals->reports[i].lost == lost && arrivals->reports[i].since == since) {
                        assert(entry_has(entry, "REPLAYED", "1"));
                        return;
                }
        assert(arrivals->n_reports < REPORTS);
        arrivals->reports[arrivals->n_reports].lost = lost;
        arrivals->reports[arrivals->n_reports++].since = since;
        arrivals->lost += lost;
}

/* Return: whether it is none that ends the reader. */
static bool note(struct arrivals *arrivals, const struct entry *entry)
{
        struct record_field field;
        uint64_t number;

        if (entry_find(entry, "END", &field) > 0)
                return false;
        if (entry_has(entry, "EVENT", "log-lost")) {
                note_report(arrivals, entry);
                return true;
        }
        number = entry_number(entry, "NUMBER");
        assert(number > 0 && number < NUMBERS);
        if (entry_find(entry, "REPLAYED", &field) > 0)
                arrivals->again[number] |= 1;
        else
                arrivals->fresh[number]++;
        return true;
}

struct reader {
        struct journald *journald;
        struct arrivals *arrivals;
        pthread_t thread;
        uint32_t random;
        bool slow;
};

static void *read_until_end(void *arg)
{
        struct reader *reader = arg;
        struct entry entry;
        bool more = true;

        while (more) {
                assert(journald_receive(reader->journald, &entry, 0));
                more = note(reader->arrivals, &entry);
                entry_free(&entry);
                if (reader->slow && next_random(&reader->random) % 64 == 0)
                        (void)poll(NULL, 0, 1);
        }
        return NULL;
}

static void reader_end(struct reader *reader)
{
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert(fd >= 0);
        assert(sendto(fd, "END=1\n", 6, 0, (const struct sockaddr *)&reader->journald->address,
                      sizeof(reader->journald->address)) == 6);
        assert(close(fd) == 0);
        assert(pthread_join(reader->thread, NULL) == 0);
}

/* -- the judgement -- */

/* Of a record whose commit did not return. Return: whether it is counted as lost. */
static bool judge_slot(const struct slot *slot, bool settled, const struct arrivals *arrivals)
{
        uint64_t number = atomic_load(&slot->number);
        bool arrived = arrivals->fresh[number] + arrivals->again[number] > 0;

        if (!settled)
                assert(!arrived);
        return settled && !arrived;
}

/* Return: how many were lost. */
static uint64_t judge(const struct shared *shared, const bool settled[static THREADS],
                      const struct arrivals *arrivals)
{
        uint64_t lost = 0, in_flight = 0, unknown = 0;

        for (unsigned i = 0; i < THREADS; i++) {
                uint64_t number = atomic_load(&shared->slots[i].number);

                if (number == 0)
                        continue;
                if (atomic_load(&shared->results[number]) != UNKNOWN) {
                        assert(settled[i]);
                        continue;
                }
                in_flight += arrivals->fresh[number] + arrivals->again[number] > 0;
                lost += judge_slot(&shared->slots[i], settled[i], arrivals);
        }
        for (uint64_t i = 1; i < NUMBERS; i++) {
                bool arrived = arrivals->fresh[i] + arrivals->again[i] > 0;
                enum result result = atomic_load(&shared->results[i]);

                assert(arrivals->fresh[i] <= 1);
                assert(result == UNKNOWN || arrived == (result == TAKEN));
                unknown += result == UNKNOWN && arrived;
                lost += result == LOST;
        }
        assert(unknown == in_flight);
        assert(lost == arrivals->lost);
        return lost;
}

static void settled_slots(struct log *log, const struct shared *shared, bool ret[static THREADS])
{
        for (unsigned i = 0; i < THREADS; i++)
                ret[i] = log_settled(log, &shared->slots[i].ticket, RECORD_ACCESS);
}

/* -- killed at random moments -- */

struct killing {
        struct journald journald;
        uint32_t random;
        uint64_t block_usec;
        bool slow_reader;
        unsigned rounds;
        uint64_t taken, lost, again;
};

static void count(struct killing *killing, const struct arrivals *arrivals)
{
        for (size_t i = 0; i < NUMBERS; i++) {
                killing->taken += arrivals->fresh[i] + arrivals->again[i] > 0;
                killing->again += arrivals->again[i];
        }
}

static void kill_once(struct killing *killing, struct arrivals *arrivals)
{
        struct shared *shared = share();
        pid_t pid = start(shared, killing->block_usec);
        struct reader reader = {.journald = &killing->journald,
                                .arrivals = arrivals,
                                .random = killing->random,
                                .slow = killing->slow_reader};
        bool settled[THREADS];
        struct log *log;

        assert(pthread_create(&reader.thread, NULL, read_until_end, &reader) == 0);
        (void)usleep(next_random(&killing->random) % LIFE_MAX_USEC);
        end(pid);
        log = adopt(shared->memory, 0);
        settled_slots(log, shared, settled);
        assert(log_close(log, FOREVER_USEC, true));
        reader_end(&reader);
        killing->lost += judge(shared, settled, arrivals);
        count(killing, arrivals);
        killing->rounds++;
        assert(munmap(shared, sizeof(*shared)) == 0);
}

static void kill_often(struct killing *killing, const char *what)
{
        struct arrivals *arrivals = malloc(sizeof(*arrivals));
        uint64_t until = now_usec() + ROUNDS_USEC;
        uint32_t seed = killing->random;

        assert(arrivals);
        journald_start(&killing->journald);
        do {
                memset(arrivals, 0, sizeof(*arrivals));
                kill_once(killing, arrivals);
        } while (now_usec() < until);
        journald_remove(&killing->journald);
        free(arrivals);
        printf("%s, seed %u: %u kills, %llu records arrived, %llu of them again, %llu lost\n", what,
               seed, killing->rounds, (unsigned long long)killing->taken,
               (unsigned long long)killing->again, (unsigned long long)killing->lost);
}

static void test_killed_at_any_moment_nothing_is_missing_or_twice_unmarked(void)
{
        struct killing killing = {.random = 20240229, .block_usec = FOREVER_USEC};

        kill_often(&killing, "with a reader that keeps up");
        assert(killing.taken > 0 && killing.lost == 0);
}

static void test_killed_while_records_are_lost_every_loss_is_told_once(void)
{
        struct killing killing = {.random = 20250815, .slow_reader = true};

        kill_often(&killing, "with a reader that does not");
        assert(killing.taken > 0 && killing.lost > 0);
}

/* -- killed at every instruction -- */

struct stepping {
        struct journald journald;
        struct shared *child, *copy;
        struct shared last;            /* of the child's, as it was judged */
        struct arrivals arrivals, all; /* of the child; with those of him who adopted */
        uint64_t steps, judged;
};

static void drain(struct journald *journald, struct arrivals *arrivals)
{
        struct entry entry;

        while (journald_receive(journald, &entry, MSG_DONTWAIT)) {
                assert(note(arrivals, &entry));
                entry_free(&entry);
        }
}

static void adopt_and_ship(struct stepping *stepping, bool settled[static THREADS])
{
        struct log *log = adopt(stepping->copy->memory, 0);

        settled_slots(log, stepping->copy, settled);
        while (log_ship(log) == -EAGAIN)
                drain(&stepping->journald, &stepping->all);
        drain(&stepping->journald, &stepping->all);
        assert(log_close(log, 0, true));
        drain(&stepping->journald, &stepping->all);
}

/* As if the child were dead now. */
static void judge_now(struct stepping *stepping)
{
        bool settled[THREADS];

        stepping->last = *stepping->child;
        *stepping->copy = stepping->last;
        stepping->all = stepping->arrivals;
        adopt_and_ship(stepping, settled);
        (void)judge(&stepping->last, settled, &stepping->all);
        stepping->judged++;
}

static bool readable(int fd)
{
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

        return poll(&poll_fd, 1, 0) == 1;
}

/* Only a store or a datagram makes a difference to others. */
static void look(struct stepping *stepping)
{
        bool changed = memcmp(&stepping->last, stepping->child, sizeof(stepping->last)) != 0;

        stepping->steps++;
        if (readable(stepping->journald.fd)) {
                drain(&stepping->journald, &stepping->arrivals);
                changed = true;
        }
        if (changed)
                judge_now(stepping);
}

/* Between the two stops it is looked at after each instruction. */
static _Noreturn void live(struct shared *shared, bool full)
{
        uint64_t number = 1;
        struct log *log;

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                _exit(0);
        log = open_log(shared->memory, 0);
        while (full && commit_in_slot(log, shared, 0, number++, 4000) == 0)
                ;
        (void)raise(SIGSTOP);
        (void)commit_in_slot(log, shared, 0, number++, 4000);
        (void)log_ship(log);
        (void)commit_in_slot(log, shared, 1, number++, 40);
        (void)commit_in_slot(log, shared, 0, number++, LOG_BUFFER_MIN / 2); /* is lost */
        (void)log_ship(log);
        (void)log_close(log, FOREVER_USEC, true);
        (void)raise(SIGSTOP);
        _exit(1);
}

/* Return: whether it stopped where @sig says. */
static bool stopped_by(pid_t pid, int sig)
{
        int status;

        assert(waitpid(pid, &status, 0) == pid);
        return WIFSTOPPED(status) && WSTOPSIG(status) == sig;
}

static void step_through(struct stepping *stepping, bool full)
{
        uint64_t until = now_usec() + STEPS_USEC;
        pid_t pid = fork();

        assert(pid >= 0);
        if (pid == 0)
                live(stepping->child, full);
        if (!stopped_by(pid, SIGSTOP)) {
                not_tried = "not allowed to trace a process";
                return;
        }
        do {
                look(stepping);
                assert(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
        } while (stopped_by(pid, SIGTRAP) && now_usec() < until);
        look(stepping);
        end(pid);
        assert(stepping->judged > 50 || now_usec() >= until);
}

static void step(bool full, const char *what)
{
        struct stepping *stepping;

        assert(posix_memalign((void **)&stepping, PAGE, sizeof(*stepping)) == 0);
        memset(stepping, 0, sizeof(*stepping));
        stepping->child = share();
        stepping->copy = share();
        journald_start(&stepping->journald);
        step_through(stepping, full);
        journald_remove(&stepping->journald);
        printf("%s: %llu instructions, %llu states\n", what, (unsigned long long)stepping->steps,
               (unsigned long long)stepping->judged);
        assert(munmap(stepping->child, sizeof(*stepping->child)) == 0);
        assert(munmap(stepping->copy, sizeof(*stepping->copy)) == 0);
        free(stepping);
}

static void test_killed_at_any_instruction_of_committing_shipping_and_closing(void)
{
        step(false, "an empty ring");
}

static void test_killed_at_any_instruction_of_losing_and_telling(void)
{
        step(true, "a full ring");
}

/* -- what is left, and what is not -- */

static alignas(PAGE) char memory[LOG_BUFFER_MIN + PAGE];

static struct log *new_log(void)
{
        memset(memory, 0, sizeof(memory));
        return open_log(memory, 0);
}

static void expect_at(struct journald *journald, uint64_t number, bool again)
{
        struct record_field field;
        struct entry entry;

        assert(journald_receive(journald, &entry, MSG_DONTWAIT));
        assert(entry_number(&entry, "NUMBER") == number);
        assert((entry_find(&entry, "REPLAYED", &field) > 0) == again);
        entry_free(&entry);
}

static void expect_nothing(struct journald *journald)
{
        struct entry entry;

        assert(!journald_receive(journald, &entry, MSG_DONTWAIT));
}

static void test_the_memory_of_a_process_that_logged_nothing_is_empty(void)
{
        struct journald journald;
        struct log *log;

        memset(memory, 0, sizeof(memory));
        journald_start(&journald);
        log = adopt(memory, 0);
        assert(log_ship(log) == 0);
        expect_nothing(&journald);
        assert(commit(log, 1, 0, NULL) == 0 && log_ship(log) == 0);
        expect_at(&journald, 1, false);
        log_abandon(log);
        journald_remove(&journald);
}

static void test_records_stay_in_the_memory_until_somebody_saw_them_read(void)
{
        struct journald journald;
        struct log *log = NULL;

        journald_start(&journald);
        log = new_log();
        assert(commit(log, 1, 0, NULL) == 0 && commit(log, 2, 0, NULL) == 0);
        assert(!log_close(log, 0, true)); /* sent, and not read */
        expect_at(&journald, 1, false);
        expect_at(&journald, 2, false);
        for (int round = 0; round < 3; round++) {
                log = adopt(memory, 0);
                assert(!log_is_empty(log) && log_ship(log) == 0);
                expect_at(&journald, 1, true);
                expect_at(&journald, 2, true);
                log_abandon(log);
        }
        log = adopt(memory, 0);
        assert(log_ship(log) == 0 && !log_is_empty(log));
        expect_at(&journald, 1, true);
        expect_at(&journald, 2, true);
        assert(log_close(log, FOREVER_USEC, true));
        log = adopt(memory, 0);
        assert(log_ship(log) == 0);
        expect_nothing(&journald);
        log_abandon(log);
        journald_remove(&journald);
}

static void test_access_records_of_a_dead_process_go_to_its_namespace(void)
{
        struct log_options options = options_of(memory, 0);
        struct journald journald, requests;
        struct log *log = NULL;

        memset(memory, 0, sizeof(memory));
        options.access_namespace = "requests";
        journald_start(&journald);
        journald_start_namespace(&requests, &journald, "requests");
        assert(log_open(&log, &options) == 0);
        assert(commit(log, 1, 0, NULL) == 0);
        log_abandon(log);
        log = adopt(memory, 0);
        assert(commit(log, 2, 0, NULL) == 0 && log_ship(log) == 0);
        expect_at(&requests, 1, false);
        expect_at(&requests, 2, false);
        expect_nothing(&journald);
        log_abandon(log);
        journald_stop(&requests);
        journald_remove(&journald);
}

static uint64_t losses_told(struct journald *journald)
{
        struct entry entry;
        uint64_t lost = 0;

        while (journald_receive(journald, &entry, MSG_DONTWAIT)) {
                if (entry_has(&entry, "EVENT", "log-lost"))
                        lost += entry_number(&entry, "LOST");
                entry_free(&entry);
        }
        return lost;
}

/* The first one dies before the event that tells is in the ring, the second one when the ring has
 * grown beyond where the event would have ended. */
static void test_two_deaths_on_the_way_to_tell_forget_no_loss(void)
{
        struct account *account = (struct account *)(void *)memory; /* is the first of it */
        struct journald journald;
        struct log *log = NULL;
        struct loss loss;

        journald_start(&journald);
        log = new_log();
        assert(commit(log, 1, LOG_BUFFER_MIN, NULL) == -EMSGSIZE);
        assert(account_untold(account, &loss) && loss.total == 1);
        account_tell(account, &loss, RING_ALIGNMENT);
        log_abandon(log);
        log = adopt(memory, 0);
        assert(commit(log, 2, 0, NULL) == 0);
        log_abandon(log);
        log = adopt(memory, 0);
        assert(log_ship(log) == 0 && losses_told(&journald) == 1);
        log_abandon(log);
        journald_remove(&journald);
}

/* -- damage -- */

/* A log with records of all kinds, some of them sent, and a loss. */
static void make_used_memory(struct journald *journald)
{
        struct log *log = new_log();
        struct entry entry;

        for (uint64_t i = 1; i <= 10; i++) {
                struct record record;

                record_init(&record, (enum record_kind)(i % RECORD_KINDS), 4);
                record_number(&record, "NUMBER", i);
                record_string(&record, "MESSAGE", "some words");
                assert(log_commit(log, &record) == 0);
                if (i == 5)
                        assert(log_ship(log) == 0);
        }
        assert(commit(log, 1, LOG_BUFFER_MIN, NULL) == -EMSGSIZE);
        log_abandon(log);
        while (journald_receive(journald, &entry, MSG_DONTWAIT))
                entry_free(&entry);
}

/* Any bytes. Return: whether the record that was committed after the damage is among them. */
static bool mark_arrived(struct journald *journald)
{
        static char datagram[LOG_BUFFER_MIN];
        bool found = false;
        ssize_t n;

        while ((n = recv(journald->fd, datagram, sizeof(datagram), MSG_DONTWAIT)) >= 0)
                found |= memmem(datagram, (size_t)n, "MARK=1\n", 7) != NULL;
        return found;
}

static void expect_usable(struct journald *journald, char *damaged, int console)
{
        struct log_options options = options_of(damaged, 0);
        bool arrived = false, committed = false;
        struct log *log = NULL;
        struct record record;
        int r;

        options.console = console;
        (void)log_memory_counters(damaged, log_memory_size(LOG_BUFFER_MIN));
        r = log_adopt(&log, &options);
        assert((r == 0 || r == -EBADMSG) && log);
        (void)log_is_empty(log);
        for (int i = 0; i < 1000 && !arrived; i++) {
                if (!committed) {
                        record_init(&record, RECORD_EVENT, 3);
                        record_number(&record, "MARK", 1);
                        committed = log_commit(log, &record) == 0;
                }
                (void)log_ship(log);
                arrived = mark_arrived(journald);
        }
        assert(arrived);
        (void)log_close(log, 0, false);
        (void)mark_arrived(journald);
}

static void with_damage(void (*damage)(char *copy, uint32_t *random, unsigned round),
                        unsigned rounds)
{
        int console = open("/dev/null", O_WRONLY | O_CLOEXEC);
        char *copy = aligned_alloc(PAGE, sizeof(memory));
        struct journald journald;
        uint32_t random = 4711;

        assert(copy && console >= 0);
        journald_start(&journald);
        make_used_memory(&journald);
        for (unsigned i = 0; i < rounds; i++) {
                memcpy(copy, memory, sizeof(memory));
                damage(copy, &random, i);
                expect_usable(&journald, copy, console);
        }
        journald_remove(&journald);
        free(copy);
        assert(close(console) == 0);
}

static const uint64_t words[] = {
        0,
        1,
        15,
        16,
        LOG_BUFFER_MIN / 2,
        LOG_BUFFER_MIN,
        LOG_BUFFER_MIN + 16,
        LOG_BUFFER_MIN * 16,
        UINT32_MAX,
        INT64_MAX,
        UINT64_MAX,
        UINT64_MAX - 15,
        UINT64_MAX - LOG_BUFFER_MIN + 1,
        0x2f2f2f2f2f2f2f2f, /* slashes */
};

enum { WORDS = sizeof(words) / sizeof(words[0]), HEADER_WORDS = 57, DATA_WORDS = 200 };

static void set_word(char *copy, size_t at, uint64_t value)
{
        memcpy(copy + at * sizeof(value), &value, sizeof(value));
}

static void damage_header(char *copy, uint32_t *random, unsigned round)
{
        (void)random;
        set_word(copy, round / WORDS, words[round % WORDS]);
}

static void damage_records(char *copy, uint32_t *random, unsigned round)
{
        (void)random;
        set_word(copy, PAGE / sizeof(uint64_t) + round / WORDS, words[round % WORDS]);
}

/* All positions alike: the ring seems empty, anywhere. */
static void damage_all_positions(char *copy, uint32_t *random, unsigned round)
{
        (void)random;
        for (size_t at = sizeof(struct account) / sizeof(uint64_t), i = 0; i < 10; i++)
                set_word(copy, at + i, words[round]);
}

static void damage_at_random(char *copy, uint32_t *random, unsigned round)
{
        (void)round;
        for (uint32_t n = next_random(random) % 8 + 1; n > 0; n--) {
                size_t at = next_random(random) % (n % 2 ? HEADER_WORDS * sizeof(uint64_t) : 8192);

                copy[at] = (char)next_random(random);
        }
}

static void damage_everything(char *copy, uint32_t *random, unsigned round)
{
        for (size_t i = round % 2 ? PAGE : 0; i < sizeof(memory); i++)
                copy[i] = (char)next_random(random);
}

static void test_no_damage_does_harm(void)
{
        with_damage(damage_header, HEADER_WORDS * WORDS);
        with_damage(damage_records, DATA_WORDS * WORDS);
        with_damage(damage_all_positions, WORDS);
        with_damage(damage_at_random, 3000);
        with_damage(damage_everything, 100);
}

static void test_what_damage_made_unreadable_is_counted_as_lost(void)
{
        struct journald journald;
        struct log *log;
        size_t second;

        journald_start(&journald);
        log = new_log();
        assert(commit(log, 1, 100, NULL) == 0);
        second = log_counters(log).used;
        assert(commit(log, 2, 100, NULL) == 0 && commit(log, 3, 100, NULL) == 0);
        log_abandon(log);
        memset(memory + PAGE + second, 0x7f, RING_ALIGNMENT);
        log = adopt(memory, -EBADMSG);
        assert(log_ship(log) == 0);
        expect_at(&journald, 1, false);
        assert(losses_told(&journald) == 2);
        log_abandon(log);
        journald_remove(&journald);
}

int main(void)
{
        test_killed_at_any_moment_nothing_is_missing_or_twice_unmarked();
        test_killed_while_records_are_lost_every_loss_is_told_once();
        test_killed_at_any_instruction_of_committing_shipping_and_closing();
        test_killed_at_any_instruction_of_losing_and_telling();
        test_the_memory_of_a_process_that_logged_nothing_is_empty();
        test_records_stay_in_the_memory_until_somebody_saw_them_read();
        test_access_records_of_a_dead_process_go_to_its_namespace();
        test_what_damage_made_unreadable_is_counted_as_lost();
        test_no_damage_does_harm();
        test_two_deaths_on_the_way_to_tell_forget_no_loss();
        return ending();
}
