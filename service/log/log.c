/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: a ring between those who commit and the one who ships.
 *
 * The mutex guards the ring's bookkeeping and the counters. The owner sends without holding it:
 * only the owner takes records out, so the oldest one stays in place meanwhile.
 */
#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "log/console.h"
#include "log/events.h"
#include "log/journal.h"
#include "log/ring.h"

#define KINDS (RECORD_OUTPUT + 1)

/* The last part of the ring is for records of this priority and above, so that access records never
 * displace errors. */
#define IMPORTANT_PRIORITY 4
#define RESERVED_FRACTION  8

/* A record may take a quarter of the ring: so it fits whatever the ring's state, once it is empty
 * enough. */
#define RECORD_FRACTION 4

/* How long the owner waits for the sink at a time, when a full ring makes it wait. */
#define POLL_MSEC 10

struct loss {
        uint64_t by_kind[KINDS];
        uint64_t since_usec; /* 0: nothing was lost since the last report */
};

struct log {
        pthread_mutex_t mutex;
        pthread_cond_t room;
        pthread_t owner;
        struct ring *ring;
        void *memory; /* of the ring, when the log allocated it */
        atomic_int level;
        uint64_t block_usec;
        bool gave_up; /* a wait ended in a loss and there was no room since */
        struct loss loss;
        struct log_counters counters;
        struct record_subject subject;
        bool to_console;
        struct journal journal;
        struct console console;
        int wake;
};

static uint64_t realtime_usec(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static int sink_send(struct log *log, const void *record, size_t size)
{
        if (log->to_console)
                return console_send(&log->console, record, size, realtime_usec());
        return journal_send(&log->journal, record, size);
}

/* -- opening and closing
 * ----------------------------------------------------------------------------- */

/* Deadlines of waits are on the monotonic clock: a clock that jumps must not make a commit wait. */
static int init_locks(struct log *log)
{
        pthread_condattr_t attributes;
        int r;

        r = pthread_condattr_init(&attributes);
        if (r == 0)
                r = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (r == 0)
                r = pthread_cond_init(&log->room, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        if (r == 0)
                r = pthread_mutex_init(&log->mutex, NULL);
        return -r;
}

int log_open(struct log **ret, const struct log_options *options)
{
        _cleanup_free_ struct log *log = calloc(1, sizeof(*log));
        _cleanup_free_ void *memory = NULL;
        _cleanup_close_ int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r;

        if (wake < 0)
                return -errno;
        if (!options->buffer)
                memory = malloc(options->buffer_size);
        if (!log || (!options->buffer && !memory))
                return -ENOMEM;
        r = init_locks(log);
        if (r < 0)
                return r;

        log->owner = pthread_self();
        log->ring = ring_init(memory ? memory : options->buffer, options->buffer_size);
        log->subject = options->subject;
        log->block_usec = options->block_usec;
        atomic_init(&log->level, options->level);
        log->to_console = options->target == LOG_TARGET_CONSOLE ||
                          (options->target == LOG_TARGET_AUTO && !journal_present());
        journal_init(&log->journal);
        console_init(&log->console, STDERR_FILENO);
        log->memory = TAKE_PTR(memory);
        log->wake = TAKE_FD(wake);
        *ret = TAKE_PTR(log);
        return 0;
}

void log_abandon(struct log *log)
{
        if (!log)
                return;
        close_descriptor(&log->wake);
        journal_close(&log->journal);
        console_done(&log->console);
        (void)pthread_cond_destroy(&log->room);
        (void)pthread_mutex_destroy(&log->mutex);
        free(log->memory);
        free(log);
}

static void wait_for_sink(struct log *log)
{
        struct pollfd fd = {.fd = log_output_fd(log), .events = POLLOUT};

        (void)poll(&fd, fd.fd >= 0 ? 1 : 0, POLL_MSEC);
}

void log_close(struct log *log, uint64_t timeout_usec)
{
        uint64_t end = now_usec() + timeout_usec;
        uint64_t now;

        if (!log)
                return;
        while (log_ship(log) == -EAGAIN && now_usec() < end)
                wait_for_sink(log);
        now = now_usec();
        if (now < end)
                journal_wait_read(&log->journal, end - now);
        log_abandon(log);
}

/* -- committing
 * -------------------------------------------------------------------------------------- */

bool log_enabled(const struct log *log, int level)
{
        return level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_set_level(struct log *log, int level)
{
        atomic_store_explicit(&log->level, level, memory_order_relaxed);
}

static bool important(const struct record *record)
{
        return record->kind == RECORD_EVENT || record->priority <= IMPORTANT_PRIORITY;
}

/* Called with the mutex held. */
static int append(struct log *log, const struct record *record, size_t size)
{
        size_t capacity = ring_capacity(log->ring);
        bool was_empty = ring_used(log->ring) == 0;
        void *room;

        if (!important(record) &&
            ring_used(log->ring) + size > capacity - capacity / RESERVED_FRACTION)
                return -EAGAIN;
        room = ring_reserve(log->ring, size);
        if (!room)
                return -EAGAIN;
        record_encode(record, room);
        ring_commit(log->ring, size);
        log->gave_up = false;
        if (was_empty && !pthread_equal(log->owner, pthread_self()))
                (void)eventfd_write(log->wake, 1);
        return 0;
}

/* Called with the mutex held. */
static void count_loss(struct log *log, enum record_kind kind)
{
        log->counters.lost++;
        log->loss.by_kind[kind]++;
        if (log->loss.since_usec == 0)
                log->loss.since_usec = realtime_usec();
}

/* The owner makes the room itself. Called with the mutex held, which is released meanwhile. */
static void make_room(struct log *log)
{
        pthread_mutex_unlock(&log->mutex);
        if (log_ship(log) == -EAGAIN)
                wait_for_sink(log);
        pthread_mutex_lock(&log->mutex);
}

static void wait_for_room(struct log *log, uint64_t end)
{
        const struct timespec until = {
                .tv_sec = (time_t)(end / USEC_PER_SEC),
                .tv_nsec = (long)(end % USEC_PER_SEC * NSEC_PER_USEC),
        };

        if (pthread_equal(log->owner, pthread_self()))
                make_room(log);
        else
                (void)pthread_cond_timedwait(&log->room, &log->mutex, &until);
}

int log_commit(struct log *log, const struct record *record)
{
        size_t size = record_encoded_size(record);
        uint64_t end = 0;
        int r;

        if (record->error < 0)
                return record->error;

        pthread_mutex_lock(&log->mutex);
        if (size > RECORD_SIZE_MAX || size > ring_capacity(log->ring) / RECORD_FRACTION) {
                count_loss(log, record->kind);
                pthread_mutex_unlock(&log->mutex);
                return -EMSGSIZE;
        }
        while ((r = append(log, record, size)) == -EAGAIN && !log->gave_up) {
                uint64_t now = now_usec();

                if (end == 0)
                        end = now + log->block_usec;
                if (now >= end)
                        log->gave_up = true;
                else
                        wait_for_room(log, end);
        }
        if (r < 0)
                count_loss(log, record->kind);
        pthread_mutex_unlock(&log->mutex);
        return r < 0 ? -ENOBUFS : 0;
}

/* -- shipping
 * ---------------------------------------------------------------------------------------- */

int log_wake_fd(const struct log *log)
{
        return log->wake;
}

int log_output_fd(const struct log *log)
{
        return log->to_console ? log->console.fd : log->journal.fd;
}

/* The event that tells of a loss, straight to the sink: the ring may still be full. */
static int send_loss(struct log *log, const struct loss *loss)
{
        static const char *const names[KINDS] = {
                [RECORD_EVENT] = "LOST_EVENT",
                [RECORD_ACCESS] = "LOST_ACCESS",
                [RECORD_APP] = "LOST_APP",
                [RECORD_OUTPUT] = "LOST_OUTPUT",
        };
        char encoded[2048];
        struct record record;
        uint64_t total = 0;
        uint64_t span = realtime_usec() - loss->since_usec;

        record_event(&record, EVENT_LOG_LOST, &log->subject);
        for (size_t i = 0; i < KINDS; i++) {
                total += loss->by_kind[i];
                record_number(&record, names[i], loss->by_kind[i]);
        }
        record_number(&record, "LOST", total);
        record_number(&record, "LOST_SINCE_USEC", loss->since_usec);
        record_format(&record, "MESSAGE",
                      "%llu records were lost within %llu ms: the journal did not take them",
                      (unsigned long long)total, (unsigned long long)(span / USEC_PER_MSEC));
        if (record_encoded_size(&record) > sizeof(encoded))
                return -EMSGSIZE;
        record_encode(&record, encoded);
        return sink_send(log, encoded, record_encoded_size(&record));
}

/* Return: 0 when nothing is left to report, or -EAGAIN. */
static int report_loss(struct log *log)
{
        struct loss loss;

        pthread_mutex_lock(&log->mutex);
        loss = log->loss;
        pthread_mutex_unlock(&log->mutex);
        if (loss.since_usec == 0)
                return 0;
        if (send_loss(log, &loss) == -EAGAIN)
                return -EAGAIN;

        pthread_mutex_lock(&log->mutex);
        for (size_t i = 0; i < KINDS; i++)
                log->loss.by_kind[i] -= loss.by_kind[i];
        /* Losses during the report begin a span of their own. */
        log->loss.since_usec = 0;
        for (size_t i = 0; i < KINDS; i++)
                if (log->loss.by_kind[i] > 0)
                        log->loss.since_usec = realtime_usec();
        pthread_mutex_unlock(&log->mutex);
        return 0;
}

static const void *oldest(struct log *log, size_t *ret_size)
{
        const void *record;

        pthread_mutex_lock(&log->mutex);
        record = ring_peek(log->ring, ret_size);
        pthread_mutex_unlock(&log->mutex);
        return record;
}

static void shipped(struct log *log, int r)
{
        pthread_mutex_lock(&log->mutex);
        ring_pop(log->ring);
        if (r == 0)
                log->counters.shipped++;
        else
                count_loss(log, RECORD_APP);
        pthread_cond_broadcast(&log->room);
        pthread_mutex_unlock(&log->mutex);
}

int log_ship(struct log *log)
{
        const void *record;
        eventfd_t count;
        size_t size;

        (void)eventfd_read(log->wake, &count);
        while ((record = oldest(log, &size))) {
                int r = sink_send(log, record, size);

                if (r == -EAGAIN)
                        return r;
                shipped(log, r);
                /* The path is open: what was lost is told before what comes later. */
                if (report_loss(log) < 0)
                        return -EAGAIN;
        }
        if (report_loss(log) < 0)
                return -EAGAIN;
        return log->to_console ? console_flush(&log->console) : 0;
}

struct log_counters log_counters(struct log *log)
{
        struct log_counters counters;

        pthread_mutex_lock(&log->mutex);
        counters = log->counters;
        pthread_mutex_unlock(&log->mutex);
        return counters;
}

bool log_is_console(const struct log *log)
{
        return log->to_console;
}
