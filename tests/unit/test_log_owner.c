/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who ships: the owner, who may change, who may do something else for a while, and who may end the
 * process while others commit. */
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

enum { COMMITTERS = 3, NUMBERS = 1 << 16 };

/* What outlives a log. */
static alignas(4096) char memory[LOG_BUFFER_MIN + 2 * 4096];

static struct log_options options_of(uint64_t block_usec)
{
        return (struct log_options){
                .target = LOG_TARGET_JOURNAL,
                .level = 6,
                .console = STDERR_FILENO,
                .memory = memory,
                .buffer_size = LOG_BUFFER_MIN,
                .block_usec = block_usec,
        };
}

static struct log *open_log(uint64_t block_usec)
{
        const struct log_options options = options_of(block_usec);
        struct log *log = NULL;

        memset(memory, 0, sizeof(memory));
        assert(log_open(&log, &options) == 0);
        return log;
}

static int commit(struct log *log, uint64_t number)
{
        struct record record;

        record_init(&record, RECORD_ACCESS, 6);
        record_number(&record, "NUMBER", number);
        return log_commit(log, &record);
}

static int commit_next(struct log *log, uint64_t *n)
{
        int r = commit(log, *n);

        *n += r == 0;
        return r;
}

static bool is_woken(const struct log *log)
{
        struct pollfd fd = {.fd = log_wake_fd(log), .events = POLLIN};

        return poll(&fd, 1, 0) == 1;
}

/* Return: how many records there are for journald to take, all of them in order from @first on. */
static uint64_t receive_all(struct journald *journald, uint64_t first)
{
        struct entry entry;
        uint64_t n = 0;

        while (journald_receive(journald, &entry, MSG_DONTWAIT)) {
                assert(entry_number(&entry, "NUMBER") == first + n);
                entry_free(&entry);
                n++;
        }
        return n;
}

/* In another thread, until it has done it. */
static void elsewhere(void *(*what)(void *), void *data)
{
        pthread_t thread;

        assert(pthread_create(&thread, NULL, what, data) == 0);
        assert(pthread_join(thread, NULL) == 0);
}

static void *commit_one(void *log)
{
        assert(commit(log, 0) == 0);
        return NULL;
}

/* -- the next owner -- */

static void *own_and_commit(void *log)
{
        log_own(log);
        assert(commit(log, 0) == 0 && !is_woken(log));
        assert(log_ship(log) == 0);
        return NULL;
}

static void test_the_next_owner_is_woken_for_the_one_before(void)
{
        struct journald journald;
        struct log *log;

        journald_start(&journald);
        log = open_log(0);
        elsewhere(own_and_commit, log);
        assert(receive_all(&journald, 0) == 1);
        assert(commit(log, 0) == 0 && is_woken(log)); /* as any other thread now */
        log_own(log);
        assert(log_ship(log) == 0 && !is_woken(log));
        assert(commit(log, 1) == 0 && !is_woken(log));
        elsewhere(commit_one, log);
        assert(!is_woken(log)); /* was told, or will look: there is more in the ring already */
        log_abandon(log);
        journald_remove(&journald);
}

static void *own(void *log)
{
        log_own(log);
        return NULL;
}

/* Until the ring takes no more. Return: how many it took. */
static uint64_t fill(struct log *log)
{
        uint64_t n = 0;

        while (commit_next(log, &n) == 0)
                ;
        return n;
}

static void test_only_the_owner_ships_when_the_ring_is_full(void)
{
        struct journald journald;
        struct log *log;
        uint64_t n;

        journald_start(&journald);
        log = open_log(0);
        elsewhere(own, log);
        n = fill(log);
        assert(n > 0 && receive_all(&journald, 0) == 0);
        log_own(log);
        (void)commit(log, n);
        assert(receive_all(&journald, 0) > 0);
        log_abandon(log);
        journald_remove(&journald);
}

/* -- the owner does something else -- */

static void test_an_owner_who_does_something_else_does_not_ship(void)
{
        struct journald journald;
        struct log *log;

        journald_start(&journald);
        log = open_log(0);
        log_lead(log, false);
        assert(fill(log) > 0 && receive_all(&journald, 0) == 0);
        assert(!is_woken(log)); /* it is himself who ships, soon */
        log_lead(log, true);
        (void)commit(log, 0);
        assert(receive_all(&journald, 0) > 0);
        log_abandon(log);
        journald_remove(&journald);
}

/* The state of a thread, as /proc tells it. */
static char state_of(pid_t thread)
{
        char path[64], text[256] = "";
        const char *end;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
        file = fopen(path, "re");
        assert(file && fgets(text, sizeof(text), file));
        assert(fclose(file) == 0);
        end = strrchr(text, ')');
        assert(end);
        return end[2];
}

struct handover {
        struct journald *journald;
        struct log *log;
        pid_t waits;
        atomic_bool over;
};

/* Another thread leads when a job of the owner's takes long. */
static void *take_over(void *data)
{
        struct handover *handover = data;
        uint64_t end = now_usec() + FOREVER_USEC;
        struct entry entry;

        while (state_of(handover->waits) != 'S')
                assert(now_usec() < end && poll(NULL, 0, 1) == 0);
        assert(!journald_receive(handover->journald, &entry, MSG_DONTWAIT));
        log_own(handover->log);
        log_lead(handover->log, true);
        while (!atomic_load(&handover->over)) {
                assert(now_usec() < end);
                (void)log_ship(handover->log);
                while (journald_receive(handover->journald, &entry, MSG_DONTWAIT))
                        entry_free(&entry);
        }
        return NULL;
}

static void test_an_owner_who_waits_for_room_gets_it_from_the_next_one(void)
{
        struct handover handover = {.waits = gettid()};
        struct journald journald;
        pthread_t next;
        uint64_t n = 0;

        journald_start(&journald);
        handover.journald = &journald;
        handover.log = open_log(FOREVER_USEC);
        log_lead(handover.log, false);
        while (log_counters(handover.log).used < LOG_BUFFER_MIN / 2)
                assert(commit_next(handover.log, &n) == 0);
        assert(pthread_create(&next, NULL, take_over, &handover) == 0);
        for (uint64_t end = 4 * n; n < end;)
                assert(commit_next(handover.log, &n) == 0);
        atomic_store(&handover.over, true);
        assert(pthread_join(next, NULL) == 0);
        assert(log_counters(handover.log).lost == 0);
        log_abandon(handover.log);
        journald_remove(&journald);
}

/* -- the process ends while others commit -- */

struct committer {
        struct log *log;
        uint64_t first;
        uint64_t taken, refused;
        atomic_bool *over;
        pthread_t thread;
};

static void *commit_until_over(void *data)
{
        struct committer *committer = data;

        while (!atomic_load(committer->over) && committer->taken < NUMBERS) {
                if (commit(committer->log, committer->first + committer->taken) == 0)
                        committer->taken++;
                else
                        committer->refused++;
        }
        return NULL;
}

/* What arrived, by number, and the losses that were told. */
struct reader {
        struct journald journald;
        pthread_t thread;
        uint8_t arrived[COMMITTERS * NUMBERS];
        uint64_t told;
};

static void *read_until_end(void *data)
{
        struct reader *reader = data;
        struct record_field field;
        struct entry entry;
        bool end = false;

        while (!end) {
                assert(journald_receive(&reader->journald, &entry, 0));
                end = entry_has(&entry, "END", "1");
                if (entry_has(&entry, "EVENT", "log-lost")) {
                        if (entry_find(&entry, "REPLAYED", &field) == 0)
                                reader->told += entry_number(&entry, "LOST");
                } else if (!end) {
                        reader->arrived[entry_number(&entry, "NUMBER")] = 1;
                }
                entry_free(&entry);
        }
        return NULL;
}

static void reader_end(struct reader *reader)
{
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert(fd >= 0);
        assert(sendto(fd, "END=1\n", 6, 0, (const struct sockaddr *)&reader->journald.address,
                      sizeof(reader->journald.address)) == 6);
        assert(close(fd) == 0);
        assert(pthread_join(reader->thread, NULL) == 0);
        journald_remove(&reader->journald);
}

/* Everything that was taken arrived. Return: how many were refused. */
static uint64_t judge(const struct reader *reader,
                      const struct committer committers[static COMMITTERS])
{
        uint64_t refused = 0;

        for (unsigned i = 0; i < COMMITTERS; i++) {
                for (uint64_t n = 0; n < NUMBERS; n++)
                        assert(reader->arrived[committers[i].first + n] ==
                               (n < committers[i].taken));
                refused += committers[i].refused;
        }
        return refused;
}

/* Until the others have committed something, or have been refused, from now on. */
static void let_go_on(struct log *log)
{
        struct log_counters before = log_counters(log);
        uint64_t end = now_usec() + FOREVER_USEC;
        struct log_counters now;

        do {
                assert(now_usec() < end && poll(NULL, 0, 1) == 0);
                now = log_counters(log);
        } while (now.used == before.used && now.lost == before.lost);
}

static void test_what_is_committed_while_the_process_ends_is_the_heirs(void)
{
        const struct log_options options = options_of(0);
        struct reader *reader = calloc(1, sizeof(*reader));
        struct committer committers[COMMITTERS];
        struct log *log, *heir = NULL;
        atomic_bool over = false;

        assert(reader);
        journald_start(&reader->journald);
        log = open_log(0);
        assert(pthread_create(&reader->thread, NULL, read_until_end, reader) == 0);
        for (unsigned i = 0; i < COMMITTERS; i++) {
                committers[i] = (struct committer){
                        .log = log, .first = (uint64_t)i * NUMBERS, .over = &over};
                assert(pthread_create(&committers[i].thread, NULL, commit_until_over,
                                      &committers[i]) == 0);
        }
        (void)log_finish(log, USEC_PER_MSEC, true);
        let_go_on(log);
        atomic_store(&over, true);
        for (unsigned i = 0; i < COMMITTERS; i++)
                assert(pthread_join(committers[i].thread, NULL) == 0);
        log_abandon(log);

        assert(log_adopt(&heir, &options) == 0);
        assert(log_close(heir, FOREVER_USEC, false));
        reader_end(reader);
        assert(judge(reader, committers) == reader->told);
        free(reader);
}

int main(void)
{
        assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        test_the_next_owner_is_woken_for_the_one_before();
        test_only_the_owner_ships_when_the_ring_is_full();
        test_an_owner_who_does_something_else_does_not_ship();
        test_an_owner_who_waits_for_room_gets_it_from_the_next_one();
        test_what_is_committed_while_the_process_ends_is_the_heirs();
        return 0;
}
