/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sending, and knowing what arrived. */
#include "log/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* A record that is sent later than so after it was written says when that was: what the journal
 * notes is the time of sending. */
#define LATE_USEC USEC_PER_SEC

/* So long after it was read a record is in safety: a killed journald is back by then, and its
 * sockets are closed some ms after systemd has emptied them (measured: 4 to 8 ms). */
#define SAFE_USEC USEC_PER_SEC

/* Looking costs some 2 us (three system calls), and journald a wake-up: it is done after this time,
 * or sooner when so much was sent. */
#define LOOK_USEC      (10 * USEC_PER_MSEC)
#define LOOK_SOON_USEC USEC_PER_MSEC
#define LOOK_SIZE      ((size_t)32 << 10)

/* How soon a sink is tried again that has no descriptor to wait for. */
#define RETRY_USEC (100 * USEC_PER_MSEC)

/* How long somebody waits for the sink at a time: the journal may be gone meanwhile. */
#define POLL_USEC (10 * USEC_PER_MSEC)

#define REPLAYED   "REPLAYED=1\n"
#define SUFFIX_MAX 96

/* What is said of a record beside what it says itself. Return: its size. */
static size_t write_suffix(char text[static SUFFIX_MAX], const struct ring_entry *entry)
{
        uint64_t written = entry->written_usec;
        time_t seconds = (time_t)(written / USEC_PER_SEC);
        size_t size = 0;
        struct tm utc;

        if (entry->again) {
                memcpy(text, REPLAYED, strlen(REPLAYED));
                size = strlen(REPLAYED);
        }
        /* As RFC 5424, 6.2.3 writes it; only the year of a scribbled time can be longer. */
        if (realtime_usec() > written + LATE_USEC && gmtime_r(&seconds, &utc) && utc.tm_year < 8000)
                size += (size_t)snprintf(text + size, SUFFIX_MAX - size,
                                         "SYSLOG_TIMESTAMP=%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\n",
                                         utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                                         utc.tm_hour, utc.tm_min, utc.tm_sec,
                                         (unsigned)(written % USEC_PER_SEC));
        return size;
}

static int hand_over(struct channel *channel, const struct ring_entry *entry)
{
        char suffix[SUFFIX_MAX];

        if (channel->console)
                return console_send(channel->console, entry->record, entry->size,
                                    entry->written_usec);
        return journal_send(&channel->journal, entry->record, entry->size, suffix,
                            write_suffix(suffix, entry));
}

/* Return: 1 when the record is sent, 0 when it will never be; -EAGAIN when it cannot be sent now.
 */
static int send_next(struct channel *channel, const struct ring_entry *entry,
                     struct channel_tally *tally)
{
        int r;

        ring_try(&channel->ring, entry);
        r = hand_over(channel, entry);
        if (r == -EAGAIN || r == -ENOTCONN) {
                ring_retract(&channel->ring);
                if (r == -ENOTCONN)
                        ring_resend(&channel->ring);
                return -EAGAIN;
        }
        ring_sent(&channel->ring, entry);
        if (r < 0 && entry->kind < RECORD_KINDS)
                tally->refused[entry->kind]++;
        return r == 0;
}

/* Return: 0 when nothing waits, else -EAGAIN. @ret_sent: whether anything was sent. */
static int send_all(struct channel *channel, bool *ret_sent, struct channel_tally *tally)
{
        struct ring_entry entry;
        int r = 0;

        *ret_sent = false;
        while (r >= 0 && ring_next(&channel->ring, &entry)) {
                r = send_next(channel, &entry, tally);
                *ret_sent |= r > 0;
        }
        return r < 0 ? r : 0;
}

/* Return: what was sent by now, and how much of that was not read yet; false: all of it is to be
 * sent again. */
static bool look(struct channel *channel, uint64_t *ret_sent, uint64_t *ret_unread)
{
        bool again;

        *ret_sent = ring_position(&channel->ring);
        *ret_unread = journal_unread(&channel->journal);
        again = journal_restarted(&channel->journal);
        atomic_store(channel->instance, channel->journal.instance);
        if (again)
                ring_resend(&channel->ring);
        return !again;
}

/* While room is short, what was read must do; but of the newest nothing proves that it was written
 * down. */
static void forget(struct channel *channel, bool room, uint64_t now, struct channel_tally *tally)
{
        struct ring *ring = &channel->ring;
        uint64_t read = ring_read_position(ring);

        if (room || ring_used(ring) > ring_capacity(ring) / 2)
                ring_forget(ring, read, true, tally->done, RECORD_KINDS);
        if (channel->safe > 0 && now >= channel->safe_usec) {
                ring_forget(ring, channel->safe, false, tally->done, RECORD_KINDS);
                channel->safe = 0;
        }
        if (channel->safe == 0 && ring_unforgotten(ring) > ring_unread(ring)) {
                channel->safe = read;
                channel->safe_usec = now + SAFE_USEC;
        }
}

/* Whether there is anything to learn from a look. */
static bool gains(const struct channel *channel, bool room, uint64_t now, uint64_t unread)
{
        const struct ring *ring = &channel->ring;

        if (unread < ring_unread(ring))
                return true;
        return ring_unforgotten(ring) > ring_unread(ring) &&
               (room || channel->safe == 0 || now >= channel->safe_usec);
}

/*
 * Send what waits, and note what was read of what had been sent before. The order matters: only if
 * the connection is still good after the question how much is unread, was the rest read and not
 * thrown away. A record that was sent meanwhile has shown that; to ask takes the place of a record
 * in the journal's queue.
 */
static int send_and_look(struct channel *channel, bool room, uint64_t now,
                         struct channel_tally *tally)
{
        struct ring *ring = &channel->ring;
        uint64_t sent, unread;
        bool fine = look(channel, &sent, &unread) && gains(channel, room, now, unread);
        bool any;
        int r = send_all(channel, &any, tally);

        channel->last_look = now;
        if (fine && ring_position(ring) >= sent && !any && !journal_alive(&channel->journal)) {
                ring_resend(ring);
                r = send_all(channel, &any, tally);
                fine = false;
        }
        if (ring_position(ring) < sent || ring_unforgotten(ring) == ring_unread(ring))
                channel->safe = 0;
        if (fine && ring_position(ring) >= sent) {
                ring_read(ring, sent, unread);
                forget(channel, room, now, tally);
        }
        channel->stuck = r < 0 && !any;
        return r;
}

/* CLOCK_MONOTONIC; USEC_NEVER: nothing is to be forgotten. */
static uint64_t next_look(const struct channel *channel)
{
        const struct ring *ring = &channel->ring;
        uint64_t next = channel->safe > 0 ? channel->safe_usec : USEC_NEVER;
        uint64_t soon = channel->last_look + LOOK_USEC;

        if (channel->console || ring_unforgotten(ring) == 0)
                return USEC_NEVER;
        if (channel->stuck)
                soon = channel->last_look + RETRY_USEC;
        else if (ring_unread(ring) >= LOOK_SIZE || ring_used(ring) > ring_capacity(ring) / 2)
                soon = channel->last_look + LOOK_SOON_USEC;
        return (ring_unread(ring) > 0 || channel->safe == 0) && soon < next ? soon : next;
}

static int ship_to_console(struct channel *channel, struct channel_tally *tally)
{
        bool any;
        int r = send_all(channel, &any, tally);

        ring_read(&channel->ring, ring_position(&channel->ring), 0);
        ring_forget(&channel->ring, ring_position(&channel->ring), false, tally->done,
                    RECORD_KINDS);
        channel->stuck = r < 0 && !any;
        return r == 0 && console_flush(channel->console) == -EAGAIN ? -EAGAIN : r;
}

int channel_ship(struct channel *channel, bool room, struct channel_tally *tally)
{
        uint64_t now = now_usec();
        bool any;
        int r;

        if (channel->console)
                return ship_to_console(channel, tally);
        if (now >= next_look(channel) || (room && ring_unforgotten(&channel->ring) > 0))
                return send_and_look(channel, room, now, tally);
        r = send_all(channel, &any, tally);
        channel->stuck = r < 0 && !any;
        return r;
}

bool channel_settle(struct channel *channel, uint64_t timeout_usec)
{
        struct ring *ring = &channel->ring;
        bool read;

        if (!channel->console && ring_unread(ring) > 0) {
                read = journal_wait_read(&channel->journal, timeout_usec);
                if (channel->journal.fd < 0 || journal_restarted(&channel->journal))
                        ring_resend(ring);
                else if (read)
                        ring_read(ring, ring_position(ring), 0);
        }
        return ring_unread(ring) == 0 && !ring_waiting(ring);
}

void channel_init(struct channel *channel, struct console *console, const char *name_space,
                  _Atomic uint64_t *instance)
{
        channel->console = console;
        channel->instance = instance;
        journal_init(&channel->journal, name_space);
        channel->journal.instance = atomic_load(instance);
}

int channel_fd(const struct channel *channel)
{
        return channel->console ? channel->console->fd : channel->journal.fd;
}

/* There may be nothing to poll for: the sink may be gone, or has taken all and has not read it. */
void channel_wait(const struct channel *channel, uint64_t end)
{
        bool full = ring_waiting(&channel->ring) && channel->stuck;
        struct pollfd fd = {.fd = full ? channel_fd(channel) : -1, .events = POLLOUT};
        uint64_t now = now_usec();
        uint64_t left = now < end ? end - now : 0;
        uint64_t longest = full ? POLL_USEC : USEC_PER_MSEC;
        const struct timespec pause = {
                .tv_nsec = (long)((left < longest ? left : longest) * NSEC_PER_USEC),
        };

        (void)ppoll(&fd, fd.fd >= 0 ? 1 : 0, &pause, NULL);
}

uint64_t channel_wake_usec(const struct channel *channel)
{
        uint64_t look = next_look(channel);
        uint64_t retry = USEC_NEVER;

        if (ring_waiting(&channel->ring) || (channel->console && channel->console->rest))
                retry = now_usec() + RETRY_USEC;
        return look < retry ? look : retry;
}
