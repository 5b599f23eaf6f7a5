/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: rings between those who commit and the one who ships, and what happens when they are
 * full.
 *
 * The mutex guards appending and the account. The owner sends and forgets without holding it.
 */
#include "log/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/wake.h"
#include "log/account.h"
#include "log/channel.h"
#include "log/events.h"
#include "log/memory.h"

/* The last part of a ring is for records of this priority and above, so that access records never
 * displace errors. */
#define IMPORTANT_PRIORITY 4
#define RESERVED_FRACTION  8

/* A record may take a quarter of its ring: so it fits whatever the ring's state, once it is empty
 * enough. */
#define RECORD_FRACTION 4

/* While records are being lost all the time, reports must not take the place of records. */
#define REPORT_INTERVAL_USEC USEC_PER_SEC

struct log {
        pthread_mutex_t mutex;
        pthread_cond_t room;
        _Atomic pthread_t owner;
        bool aside; /* the owner does something else, and does not ship; his */
        struct log_memory *memory;
        size_t memory_size;
        void *own_memory; /* the same, when the log allocated it */
        struct channel channels[CHANNELS];
        size_t n_channels;
        atomic_int level;
        uint64_t block_usec;
        bool gave_up; /* a wait ended in a loss and no ring has been half empty since */
        uint64_t next_report;
        struct record_subject subject;
        struct console console;
        bool to_console;
        struct wake wake; /* for the owner */
};

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

static void init_log(struct log *log, const struct log_options *options)
{
        struct log_memory *memory = log->memory;

        log_own(log);
        log->subject = options->subject;
        log->block_usec = options->block_usec;
        atomic_init(&log->level, options->level);
        log->to_console = options->target == LOG_TARGET_CONSOLE ||
                          (options->target == LOG_TARGET_AUTO && !journal_present());
        console_init(&log->console, options->console);
        log->n_channels = memory_divide(memory, options->buffer_size, log->channels);
        for (size_t i = 0; i < log->n_channels; i++)
                channel_init(&log->channels[i], log->to_console ? &log->console : NULL,
                             i == CHANNEL_ACCESS ? memory->access_namespace : "",
                             &memory->instances[i]);
}

static int new_log(struct log **ret, const struct log_options *options)
{
        _cleanup_free_ struct log *log = calloc(1, sizeof(*log));
        _cleanup_free_ void *memory = NULL;
        int r;

        if (options->buffer_size < LOG_BUFFER_MIN)
                return -EINVAL;
        if (!options->memory)
                memory = calloc(1, log_memory_size(options->buffer_size));
        if (!log || (!options->memory && !memory))
                return -ENOMEM;
        r = init_locks(log);
        if (r == 0)
                r = wake_init(&log->wake);
        if (r < 0)
                return r;
        log->memory = memory ? memory : options->memory;
        log->memory_size = log_memory_size(options->buffer_size);
        log->own_memory = TAKE_PTR(memory);
        *ret = TAKE_PTR(log);
        return 0;
}

int log_open(struct log **ret, const struct log_options *options)
{
        const char *name_space = options->access_namespace;
        struct log *log = NULL;
        int r;

        if (name_space && strlen(name_space) > JOURNAL_NAMESPACE_MAX)
                return -EINVAL;
        r = new_log(&log, options);
        if (!log)
                return r;
        if (name_space && *name_space) {
                memcpy(log->memory->access_namespace, name_space, strlen(name_space) + 1);
                atomic_store(&log->memory->split, 1);
        }
        init_log(log, options);
        *ret = log;
        return 0;
}

void log_abandon(struct log *log)
{
        if (!log)
                return;
        wake_done(&log->wake);
        for (size_t i = 0; i < log->n_channels; i++)
                journal_close(&log->channels[i].journal);
        console_done(&log->console);
        (void)pthread_cond_destroy(&log->room);
        (void)pthread_mutex_destroy(&log->mutex);
        free(log->own_memory);
        free(log);
}

int log_adopt(struct log **ret, const struct log_options *options)
{
        struct log_memory *memory;
        struct log *log = NULL;
        int r;

        r = new_log(&log, options);
        if (!log)
                return r;
        memory = log->memory;
        memory->access_namespace[JOURNAL_NAMESPACE_MAX] = '\0';
        if (strchr(memory->access_namespace, '/'))
                memory->access_namespace[0] = '\0';
        init_log(log, options);
        *ret = log;
        return memory_adopt(memory, log->channels, log->n_channels);
}

static struct channel *channel_of(struct log *log, enum record_kind kind)
{
        return &log->channels[kind == RECORD_ACCESS && log->n_channels > CHANNEL_ACCESS
                                      ? CHANNEL_ACCESS
                                      : CHANNEL_MAIN];
}

bool log_settled(struct log *log, const struct ticket *ticket, enum record_kind kind)
{
        uint64_t loss = atomic_load(&ticket->loss);

        return ring_holds(&channel_of(log, kind)->ring, atomic_load(&ticket->end)) ||
               (loss > 0 && loss <= account_read(&log->memory->account.lost[kind]));
}

void log_own(struct log *log)
{
        pthread_mutex_lock(&log->mutex);
        atomic_store_explicit(&log->owner, pthread_self(), memory_order_relaxed);
        pthread_mutex_unlock(&log->mutex);
}

void log_lead(struct log *log, bool leads)
{
        log->aside = !leads;
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
        return pthread_equal(atomic_load_explicit(&log->owner, memory_order_relaxed),
                             pthread_self());
}

/* Whether the calling thread ships, and nobody else may. */
static bool shipping(const struct log *log)
{
        return owned(log) && !log->aside;
}

/* Where the record will end, when there is room for it; else 0. Called with the mutex held, as all
 * that follows down to commit(). */
static uint64_t encode(struct ring *ring, const struct record *record, size_t size)
{
        size_t capacity = ring_capacity(ring);
        void *room;

        if (!important(record) && ring_used(ring) + size > capacity - capacity / RESERVED_FRACTION)
                return 0;
        room = ring_reserve(ring, size);
        if (!room)
                return 0;
        record_encode(record, room);
        return ring_end(ring, size);
}

static int append(struct log *log, const struct record *record, size_t size, struct ticket *ticket)
{
        struct ring *ring = &channel_of(log, record->kind)->ring;
        uint64_t end = encode(ring, record, size);
        bool first;

        if (end == 0)
                return -EAGAIN;
        if (ticket)
                atomic_store_explicit(&ticket->end, end, memory_order_release);
        first = ring_commit(ring, size, record->kind, realtime_usec());
        account_add(&log->memory->account.committed[record->kind], 1);
        if (first && !owned(log))
                wake_tell(&log->wake);
        return 0;
}

static void lose(struct log *log, enum record_kind kind, struct ticket *ticket)
{
        struct account *account = &log->memory->account;

        if (ticket)
                atomic_store_explicit(&ticket->loss, account_read(&account->lost[kind]) + 1,
                                      memory_order_release);
        account_lose(account, kind, 1);
}

/* Room was made: whoever waits for it goes on. */
static void book(struct log *log, const struct channel_tally *tally)
{
        struct account *account = &log->memory->account;
        bool half_empty = true;
        uint64_t moved = 0;

        for (size_t i = 0; i < RECORD_KINDS; i++)
                moved += tally->done[i] + tally->refused[i];
        if (moved == 0)
                return;
        pthread_mutex_lock(&log->mutex);
        for (size_t i = 0; i < RECORD_KINDS; i++) {
                account_add(&account->done[i], tally->done[i]);
                account_lose(account, (enum record_kind)i, tally->refused[i]);
        }
        for (size_t i = 0; i < log->n_channels; i++)
                half_empty &= ring_used(&log->channels[i].ring) <=
                              ring_capacity(&log->channels[i].ring) / 2;
        if (half_empty)
                log->gave_up = false;
        pthread_cond_broadcast(&log->room);
        pthread_mutex_unlock(&log->mutex);
}

static int ship(struct log *log, bool room)
{
        struct channel_tally tally = {0};
        int r = 0;

        for (size_t i = 0; i < log->n_channels; i++)
                if (channel_ship(&log->channels[i], room, &tally) < 0)
                        r = -EAGAIN;
        book(log, &tally);
        return r;
}

/* The owner makes the room itself, and waits for the sink when @end allows it. */
static void make_room(struct log *log, const struct channel *channel, uint64_t end)
{
        pthread_mutex_unlock(&log->mutex);
        (void)ship(log, true);
        if (end > 0)
                channel_wait(channel, end);
        pthread_mutex_lock(&log->mutex);
}

static void wait_for_room(struct log *log, const struct channel *channel, uint64_t end)
{
        const struct timespec until = {
                .tv_sec = (time_t)(end / USEC_PER_SEC),
                .tv_nsec = (long)(end % USEC_PER_SEC * NSEC_PER_USEC),
        };

        if (shipping(log))
                make_room(log, channel, end);
        else
                (void)pthread_cond_timedwait(&log->room, &log->mutex, &until);
}

static uint64_t deadline(uint64_t now, uint64_t timeout_usec)
{
        return timeout_usec < USEC_NEVER - now ? now + timeout_usec : USEC_NEVER;
}

static int append_or_wait(struct log *log, const struct record *record, size_t size,
                          struct ticket *ticket)
{
        const struct channel *channel = channel_of(log, record->kind);
        uint64_t end = 0;
        uint64_t now;

        if (append(log, record, size, ticket) == 0)
                return 0;
        if (shipping(log))
                make_room(log, channel, 0);
        while (append(log, record, size, ticket) < 0) {
                if (log->gave_up)
                        return -ENOBUFS;
                now = now_usec();
                if (end == 0)
                        end = deadline(now, log->block_usec);
                if (now >= end)
                        log->gave_up = true;
                else
                        wait_for_room(log, channel, end);
        }
        return 0;
}

/* Return: 0, or why the record can never be taken. */
static int check(struct log *log, const struct record *record, size_t size)
{
        if (record->error < 0)
                return record->error;
        if (size > RECORD_SIZE_MAX ||
            size > ring_capacity(&channel_of(log, record->kind)->ring) / RECORD_FRACTION)
                return -EMSGSIZE;
        return 0;
}

int log_commit_for(struct log *log, const struct record *record, struct ticket *ticket)
{
        size_t size = record_encoded_size(record);
        int r = check(log, record, size);

        if (!wanted(log, record))
                return 0;
        pthread_mutex_lock(&log->mutex);
        if (r == 0)
                r = append_or_wait(log, record, size, ticket);
        if (r < 0)
                lose(log, record->kind, ticket);
        pthread_mutex_unlock(&log->mutex);
        return r;
}

int log_commit(struct log *log, const struct record *record)
{
        return log_commit_for(log, record, NULL);
}

int log_try_commit(struct log *log, const struct record *record, struct ticket *ticket)
{
        size_t size = record_encoded_size(record);
        int r = check(log, record, size);

        pthread_mutex_lock(&log->mutex);
        if (r == 0)
                r = append(log, record, size, ticket);
        if (r < 0 && r != -EAGAIN)
                lose(log, record->kind, ticket);
        pthread_mutex_unlock(&log->mutex);
        return r;
}

/* -- shipping -- */

int log_wake_fd(const struct log *log)
{
        return log->wake.fd;
}

int log_output_fd(const struct log *log)
{
        size_t i = 0;

        /* The first one that waits; the others are tried by time. */
        while (i + 1 < log->n_channels && !ring_waiting(&log->channels[i].ring))
                i++;
        return channel_fd(&log->channels[i]);
}

uint64_t log_wake_usec(const struct log *log)
{
        uint64_t wake = USEC_NEVER;

        for (size_t i = 0; i < log->n_channels; i++) {
                uint64_t of_channel = channel_wake_usec(&log->channels[i]);

                wake = of_channel < wake ? of_channel : wake;
        }
        return wake;
}

/* Into the ring, behind what was committed before; once a second while losses go on, and not as
 * long as nobody could read it. */
static void tell_losses(struct log *log)
{
        struct account *account = &log->memory->account;
        struct channel *channel = &log->channels[CHANNEL_MAIN];
        struct record record;
        struct loss loss;
        uint64_t end;
        size_t size;

        if (channel->stuck || now_usec() < log->next_report || !account_untold(account, &loss))
                return;
        pthread_mutex_lock(&log->mutex);
        (void)account_untold(account, &loss);
        loss_record(&record, &loss, &log->subject);
        size = record_encoded_size(&record);
        end = encode(&channel->ring, &record, size);
        if (end > 0) {
                account_tell(account, &loss, end);
                (void)ring_commit(&channel->ring, size, RECORD_EVENT, realtime_usec());
                account_add(&account->committed[RECORD_EVENT], 1);
                account_told(account);
                log->next_report = now_usec() + REPORT_INTERVAL_USEC;
        }
        pthread_mutex_unlock(&log->mutex);
}

int log_ship(struct log *log)
{
        int r;

        wake_take(&log->wake);
        r = ship(log, false);
        tell_losses(log);
        return r == 0 && ring_waiting(&log->channels[CHANNEL_MAIN].ring) ? ship(log, false) : r;
}

bool log_is_empty(const struct log *log)
{
        struct loss loss;

        for (size_t i = 0; i < log->n_channels; i++)
                if (ring_used(&log->channels[i].ring) > 0)
                        return false;
        return !account_untold(&log->memory->account, &loss);
}

struct log_counters log_counters(const struct log *log)
{
        return log_memory_counters(log->memory, log->memory_size);
}

bool log_is_console(const struct log *log)
{
        return log->to_console;
}

/* -- the end -- */

/* Nobody will ship these any more. Others may still be committing. */
static void count_leftovers(struct log *log)
{
        uint64_t held[RECORD_KINDS] = {0};
        struct record record;
        struct loss loss;
        char *encoded;

        pthread_mutex_lock(&log->mutex);
        memory_held(log->channels, log->n_channels, true, held);
        for (size_t i = 0; i < RECORD_KINDS; i++)
                account_lose(&log->memory->account, (enum record_kind)i, held[i]);
        pthread_mutex_unlock(&log->mutex);
        if (!account_untold(&log->memory->account, &loss))
                return;
        loss_record(&record, &loss, &log->subject);
        encoded = malloc(record_encoded_size(&record));
        if (!encoded)
                return;
        record_encode(&record, encoded);
        (void)console_send(&log->console, encoded, record_encoded_size(&record), realtime_usec());
        free(encoded);
}

/* Return: whether all was read. @ret_again: whether something must be sent again. */
static bool settle(struct log *log, uint64_t end, bool *ret_again)
{
        struct loss loss;
        bool read = true;

        *ret_again = false;
        for (size_t i = 0; i < log->n_channels; i++) {
                uint64_t now = now_usec();

                read &= channel_settle(&log->channels[i], now < end ? end - now : 0);
                *ret_again |= ring_waiting(&log->channels[i].ring);
        }
        return read && !account_untold(&log->memory->account, &loss);
}

static size_t unsent(const struct log *log)
{
        size_t size = 0;

        for (size_t i = 0; i < log->n_channels; i++)
                size += ring_used(&log->channels[i].ring) -
                        ring_unforgotten(&log->channels[i].ring);
        return size;
}

/* Until all is sent, or nothing was for @timeout_usec, or @limit. Return: when patience ends. */
static uint64_t ship_all(struct log *log, uint64_t timeout_usec, uint64_t limit)
{
        uint64_t end = deadline(now_usec(), timeout_usec);
        size_t least = SIZE_MAX;

        while (log_ship(log) == -EAGAIN && now_usec() < end && now_usec() < limit) {
                if (unsent(log) < least)
                        end = deadline(now_usec(), timeout_usec);
                least = unsent(log);
                channel_wait(&log->channels[CHANNEL_MAIN], end);
        }
        return end < limit ? end : limit;
}

bool log_finish(struct log *log, uint64_t timeout_usec, bool heir)
{
        uint64_t limit = deadline(now_usec(), JOURNAL_PATIENCE * timeout_usec);
        bool read, again;
        uint64_t end;

        log->next_report = 0;
        do {
                end = ship_all(log, timeout_usec, limit);
                read = settle(log, end, &again);
        } while (again && now_usec() < end);
        if (!read && !heir)
                count_leftovers(log);
        return read;
}

bool log_close(struct log *log, uint64_t timeout_usec, bool heir)
{
        bool read = !log || log_finish(log, timeout_usec, heir);

        log_abandon(log);
        return read;
}
