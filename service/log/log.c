/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: a ring between those who commit and the one who ships.
 *
 * The mutex guards the ring's bookkeeping and the counters. The owner sends without holding it:
 * only the owner takes records out, so the oldest one stays in place meanwhile.
 */
#include "log/log.h"

#include <errno.h>
#include <inttypes.h>
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

/* How long the owner waits for the sink at a time, when a full ring makes it wait: there may be no
 * descriptor to wait for. */
#define POLL_USEC (10 * USEC_PER_MSEC)

/* While records are being lost all the time, reports must not take the place of records. */
#define REPORT_INTERVAL_USEC USEC_PER_SEC

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
        bool gave_up; /* a wait ended in a loss and the ring has not been half empty since */
        struct loss loss;
        uint64_t next_report; /* owner's; of a loss while records still wait */
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

/* -- opening and closing -- */

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

        if (options->buffer_size < LOG_BUFFER_MIN)
                return -EINVAL;
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

static uint64_t deadline(uint64_t now, uint64_t timeout_usec)
{
        return timeout_usec < USEC_NEVER - now ? now + timeout_usec : USEC_NEVER;
}

static void wait_for_sink(struct log *log, uint64_t end)
{
        struct pollfd fd = {.fd = log_output_fd(log), .events = POLLOUT};
        uint64_t now = now_usec();
        uint64_t left = now < end ? end - now : 0;
        const struct timespec pause = {
                .tv_nsec = (long)((left < POLL_USEC ? left : POLL_USEC) * NSEC_PER_USEC),
        };

        (void)ppoll(&fd, fd.fd >= 0 ? 1 : 0, &pause, NULL);
}

/* -- committing -- */

bool log_enabled(const struct log *log, int level)
{
        return level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_set_level(struct log *log, int level)
{
        atomic_store_explicit(&log->level, level, memory_order_relaxed);
}

static bool wanted(const struct log *log, const struct record *record)
{
        return record->kind == RECORD_ACCESS || record->kind == RECORD_OUTPUT ||
               log_enabled(log, record->priority);
}

static bool important(const struct record *record)
{
        return record->kind == RECORD_EVENT || record->priority <= IMPORTANT_PRIORITY;
}

static bool owned(const struct log *log)
{
        return pthread_equal(log->owner, pthread_self());
}

/* Called with the mutex held, as all that follows down to log_commit(). */
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
        if (was_empty && !owned(log))
                (void)eventfd_write(log->wake, 1);
        return 0;
}

static void count_loss(struct log *log, enum record_kind kind)
{
        log->counters.lost++;
        log->loss.by_kind[kind]++;
        if (log->loss.since_usec == 0)
                log->loss.since_usec = realtime_usec();
}

/* The owner makes the room itself, and waits for the sink when @end allows it. */
static void make_room(struct log *log, uint64_t end)
{
        pthread_mutex_unlock(&log->mutex);
        if (log_ship(log) == -EAGAIN && end > 0)
                wait_for_sink(log, end);
        pthread_mutex_lock(&log->mutex);
}

static void wait_for_room(struct log *log, uint64_t end)
{
        const struct timespec until = {
                .tv_sec = (time_t)(end / USEC_PER_SEC),
                .tv_nsec = (long)(end % USEC_PER_SEC * NSEC_PER_USEC),
        };

        if (owned(log))
                make_room(log, end);
        else
                (void)pthread_cond_timedwait(&log->room, &log->mutex, &until);
}

static int append_or_wait(struct log *log, const struct record *record, size_t size)
{
        uint64_t end = 0;
        uint64_t now;

        if (append(log, record, size) == 0)
                return 0;
        if (owned(log))
                make_room(log, 0);
        while (append(log, record, size) < 0) {
                if (log->gave_up)
                        return -ENOBUFS;
                now = now_usec();
                if (end == 0)
                        end = deadline(now, log->block_usec);
                if (now >= end)
                        log->gave_up = true;
                else
                        wait_for_room(log, end);
        }
        return 0;
}

int log_commit(struct log *log, const struct record *record)
{
        size_t size = record_encoded_size(record);
        int r;

        if (!wanted(log, record))
                return 0;
        pthread_mutex_lock(&log->mutex);
        if (record->error < 0)
                r = record->error;
        else if (size > RECORD_SIZE_MAX || size > ring_capacity(log->ring) / RECORD_FRACTION)
                r = -EMSGSIZE;
        else
                r = append_or_wait(log, record, size);
        if (r < 0)
                count_loss(log, record->kind);
        pthread_mutex_unlock(&log->mutex);
        return r;
}

/* -- shipping -- */

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
                      "%" PRIu64 " records were lost within %" PRIu64
                      " ms: the log did not take them",
                      total, span / USEC_PER_MSEC);
        if (record_encoded_size(&record) > sizeof(encoded))
                return -EMSGSIZE;
        record_encode(&record, encoded);
        return sink_send(log, encoded, record_encoded_size(&record));
}

/* What was reported is forgotten; losses during the report begin a span of their own. */
static void forget_loss(struct log *log, const struct loss *reported)
{
        pthread_mutex_lock(&log->mutex);
        log->loss.since_usec = 0;
        for (size_t i = 0; i < KINDS; i++) {
                log->loss.by_kind[i] -= reported->by_kind[i];
                if (log->loss.by_kind[i] > 0)
                        log->loss.since_usec = realtime_usec();
        }
        pthread_mutex_unlock(&log->mutex);
}

/* Return: 0 when nothing is to be reported now, or a negative errno of the sink. */
static int report_loss(struct log *log)
{
        struct loss loss;
        bool drained;
        int r;

        pthread_mutex_lock(&log->mutex);
        loss = log->loss;
        drained = ring_used(log->ring) == 0;
        pthread_mutex_unlock(&log->mutex);
        if (loss.since_usec == 0 || (!drained && now_usec() < log->next_report))
                return 0;
        r = send_loss(log, &loss);
        if (r < 0)
                return r;
        log->next_report = now_usec() + REPORT_INTERVAL_USEC;
        forget_loss(log, &loss);
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

/* The oldest record is done with: sent, or refused by the sink for good. */
static void forget_oldest(struct log *log, bool sent, const void *record, size_t size)
{
        enum record_kind kind = sent ? RECORD_APP : record_encoded_kind(record, size);

        pthread_mutex_lock(&log->mutex);
        ring_pop(log->ring);
        if (sent)
                log->counters.shipped++;
        else
                count_loss(log, kind);
        if (ring_used(log->ring) <= ring_capacity(log->ring) / 2)
                log->gave_up = false;
        pthread_cond_broadcast(&log->room);
        pthread_mutex_unlock(&log->mutex);
}

int log_ship(struct log *log)
{
        const void *record;
        eventfd_t count;
        size_t size;
        int r;

        (void)eventfd_read(log->wake, &count);
        for (;;) {
                /* What was lost is told before what comes later: behind a backlog that never ends
                 * it would not be told at all. */
                if (report_loss(log) == -EAGAIN)
                        return -EAGAIN;
                record = oldest(log, &size);
                if (!record)
                        break;
                r = sink_send(log, record, size);
                if (r == -EAGAIN)
                        return -EAGAIN;
                forget_oldest(log, r == 0, record, size);
        }
        return console_flush(&log->console) == -EAGAIN ? -EAGAIN : 0;
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

/* -- the end -- */

/* Nobody will ship these any more. */
static void count_leftovers(struct log *log)
{
        const void *record;
        size_t size;

        while ((record = oldest(log, &size)))
                forget_oldest(log, false, record, size);
}

void log_close(struct log *log, uint64_t timeout_usec)
{
        uint64_t end = deadline(now_usec(), timeout_usec);
        uint64_t now;
        int r;

        if (!log)
                return;
        while ((r = log_ship(log)) == -EAGAIN && now_usec() < end)
                wait_for_sink(log, end);
        if (r == -EAGAIN) {
                count_leftovers(log);
                log->to_console = true;
                (void)report_loss(log);
        }
        now = now_usec();
        if (now < end)
                journal_wait_read(&log->journal, end - now);
        log_abandon(log);
}
