/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the log costs: the commit of an access record, and records per second into the journal
 * against a plain sd_journal_sendv() loop.
 *
 *     bench_log commit THREADS    exit status 1 when the median is above COMMIT_MAX_NSEC
 *     bench_log ship SECONDS      records per second through the log
 *     bench_log sendv SECONDS     records per second of the plain loop, with the same fields
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "request/access.h"

#define COMMIT_MAX_NSEC 1500
#define BUFFER_SIZE     ((size_t)8 << 20)
#define FOREVER_USEC    (60 * USEC_PER_SEC)

enum { THREADS_MAX = 16, SAMPLES = 100000, FIELDS_MAX = 32, PAUSE_EVERY = 500 };

static const struct record_subject subject = {.worker_pid = 4711, .worker_id = 3, .generation = 1};

/* A committing thread. */
struct writer {
        pthread_t thread;
        struct log *log;
        struct ticket *ticket;     /* in memory that outlives the process, as in a worker */
        const atomic_bool *over;   /* NULL: after SAMPLES records */
        _Atomic uint64_t *running; /* writers that have not ended */
        uint64_t n_records;
        uint32_t *nsec; /* of each commit; NULL: nobody asks */
};

static void build_record(struct record *record, struct arena *arena)
{
        static const struct request request = {
                .method = "GET",
                .target = "/shop/articles?page=2&order=price",
                .target_size = 33,
                .version = "HTTP/1.1",
                .id = "0123456789abcdef0123456789abcdef",
                .peer = "192.0.2.17",
        };
        const struct access access = {
                .request = &request,
                .status = 200,
                .response_bytes = 5120,
                .duration_usec = 812,
                .app = "shop",
        };

        access_record(record, &access, &subject, arena);
        assert(record->error == 0);
}

/* -- through the log -- */

static struct log *open_log(enum log_target target, int console)
{
        const struct log_options options = {
                .target = target,
                .console = console,
                .level = 6,
                .buffer_size = BUFFER_SIZE,
                .subject = subject,
                .block_usec = FOREVER_USEC,
        };
        struct log *log;

        assert(log_open(&log, &options) == 0);
        return log;
}

static uint64_t now_nsec(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void commit_one(struct writer *writer, struct arena *arena)
{
        uint64_t before = now_nsec();
        struct record record;

        build_record(&record, arena);
        assert(log_commit_for(writer->log, &record, writer->ticket) == 0);
        if (writer->nsec)
                writer->nsec[writer->n_records] = (uint32_t)(now_nsec() - before);
        writer->n_records++;
        ticket_clear(writer->ticket);
        arena_free(arena);
}

/* A worker is not always committing: without pauses the ring would be full, and what is timed would
 * be the journal. */
static void pause_for(struct log *log)
{
        while (log_counters(log).used > BUFFER_SIZE / 4)
                (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void *write_records(void *argument)
{
        struct writer *writer = argument;
        struct arena arena = {0};

        while (writer->over ? !atomic_load(writer->over) : writer->n_records < SAMPLES) {
                commit_one(writer, &arena);
                if (writer->nsec && writer->n_records % PAUSE_EVERY == 0)
                        pause_for(writer->log);
        }
        atomic_fetch_sub(writer->running, 1);
        return NULL;
}

/* What a worker's loop does; @until: then writers are told to end. */
static void ship_until_all_ended(struct log *log, const _Atomic uint64_t *running,
                                 atomic_bool *over, uint64_t until)
{
        while (atomic_load(running) > 0) {
                if (over && now_usec() >= until)
                        atomic_store(over, true);
                if (log_ship(log) == 0)
                        (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        }
}

static void *shared_page(void)
{
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert(page != MAP_FAILED);
        return page;
}

static void run_writers(struct log *log, struct writer *writers, unsigned n, atomic_bool *over,
                        uint64_t usec)
{
        struct ticket *tickets = shared_page();
        _Atomic uint64_t running = n;
        uint64_t until = now_usec() + usec;

        assert(n * sizeof(*tickets) <= 4096);
        for (unsigned i = 0; i < n; i++) {
                writers[i].log = log;
                writers[i].ticket = &tickets[i];
                writers[i].over = over;
                writers[i].running = &running;
                assert(pthread_create(&writers[i].thread, NULL, write_records, &writers[i]) == 0);
        }
        ship_until_all_ended(log, &running, over, until);
        for (unsigned i = 0; i < n; i++)
                assert(pthread_join(writers[i].thread, NULL) == 0);
        assert(munmap(tickets, 4096) == 0);
}

/* -- commit -- */

static int by_size(const void *a, const void *b)
{
        uint32_t x, y;

        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return (x > y) - (x < y);
}

/* The record built, encoded and taken, as in a worker between the last byte and the next request;
 * two readings of the clock included. */
static int bench_commit(unsigned n_threads)
{
        struct writer writers[THREADS_MAX] = {0};
        size_t n = (size_t)n_threads * SAMPLES;
        uint32_t *nsec = calloc(n, sizeof(*nsec));
        FILE *nowhere = fopen("/dev/null", "we");
        struct log *log;
        uint32_t median;

        assert(nsec && nowhere);
        log = open_log(LOG_TARGET_CONSOLE, fileno(nowhere));
        for (unsigned i = 0; i < n_threads; i++)
                writers[i].nsec = nsec + (size_t)i * SAMPLES;
        run_writers(log, writers, n_threads, NULL, 0);
        assert(log_close(log, FOREVER_USEC, false) && fclose(nowhere) == 0);

        qsort(nsec, n, sizeof(*nsec), by_size);
        median = nsec[n / 2];
        printf("%u thread(s): median %u ns, 99 %% below %u ns\n", n_threads, median,
               nsec[n / 100 * 99]);
        free(nsec);
        return median <= COMMIT_MAX_NSEC ? 0 : 1;
}

/* -- into the journal -- */

static int bench_ship(uint64_t usec)
{
        struct log *log = open_log(LOG_TARGET_JOURNAL, STDERR_FILENO);
        struct writer writer[1] = {0};
        atomic_bool over = false;
        uint64_t before = now_usec();

        run_writers(log, writer, 1, &over, usec);
        assert(log_close(log, FOREVER_USEC, false));
        printf("%.0f\n", (double)writer->n_records * 1e6 / (double)(now_usec() - before));
        return 0;
}

/* The same fields in the form that the plain call wants. Return: how many. */
static int fields_of(const struct record *record, struct iovec fields[static FIELDS_MAX])
{
        size_t size = record_encoded_size(record), name_size;
        char *bytes = malloc(size);
        const char *cursor = bytes;
        struct record_field field;
        int n = 0;

        assert(bytes);
        record_encode(record, bytes);
        while (record_next_field(&cursor, bytes + size, &field, &name_size) > 0) {
                char *text = malloc(name_size + 1 + field.size);

                assert(n < FIELDS_MAX && text);
                memcpy(text, field.name, name_size);
                text[name_size] = '=';
                memcpy(text + name_size + 1, field.value, field.size);
                fields[n++] = (struct iovec){text, name_size + 1 + field.size};
        }
        free(bytes);
        return n;
}

static int bench_sendv(uint64_t usec)
{
        struct iovec fields[FIELDS_MAX];
        struct arena arena = {0};
        struct record record;
        uint64_t before = now_usec(), n_records = 0;
        int n;

        build_record(&record, &arena);
        n = fields_of(&record, fields);
        for (; now_usec() < before + usec; n_records++)
                assert(sd_journal_sendv(fields, n) == 0);
        printf("%.0f\n", (double)n_records * 1e6 / (double)(now_usec() - before));
        for (int i = 0; i < n; i++)
                free(fields[i].iov_base);
        arena_free(&arena);
        return 0;
}

int main(int argc, char **argv)
{
        unsigned long number = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

        if (number == 0 || number > THREADS_MAX) {
                (void)fprintf(stderr,
                              "usage: bench_log commit THREADS | ship SECONDS | sendv SECONDS\n");
                return 2;
        }
        if (strcmp(argv[1], "commit") == 0)
                return bench_commit((unsigned)number);
        if (strcmp(argv[1], "ship") == 0)
                return bench_ship(number * USEC_PER_SEC);
        return bench_sendv(number * USEC_PER_SEC);
}
