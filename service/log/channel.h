/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel: one ring and the sink that its records go to. Owner's thread only.
 *
 * A record leaves the ring when it is known to be in safety, not when it was sent. It was not
 * written down by journald when its sockets were closed before it was read; when systemd emptied
 * the socket, as it does on the way to closing it; when journald was killed with it in its hands;
 * and when the sender is gone by the time it is read, it belongs to no unit (systemd issue 2913).
 * So it is kept until a while after it was read, and sent once more when any of this happens
 * meanwhile. What may be in the journal twice says so: REPLAYED=1.
 */
#pragma once

#include "log/account.h"
#include "log/console.h"
#include "log/journal.h"
#include "log/ring.h"

struct channel {
        struct ring ring;
        struct console *console; /* NULL: the journal */
        struct journal journal;
        _Atomic uint64_t *instance; /* of journald, in memory that outlives the process */
        bool stuck;                 /* the sink took nothing at the last attempt */
        uint64_t last_look;         /* at what the journal has read */
        uint64_t safe;              /* what was read up to this position */
        uint64_t safe_usec;         /* is in safety from then on (CLOCK_MONOTONIC) */
};

/* What a step did, by kind. */
struct channel_tally {
        uint64_t done[RECORD_KINDS];    /* left the ring */
        uint64_t refused[RECORD_KINDS]; /* the sink will never take them */
};

/**
 * channel_ship() - send what waits, forget what is in safety; adds to @tally
 * @room: room is short: look at once at what may be forgotten
 *
 * Never blocks. Return: 0 when nothing waits to be sent, -EAGAIN when the sink takes no more.
 */
int channel_ship(struct channel *channel, bool room, struct channel_tally *tally);

/** channel_init() - over a ring that is set up; @instance is where journald's is remembered. */
void channel_init(struct channel *channel, struct console *console, const char *name_space,
                  _Atomic uint64_t *instance);

/** channel_settle() - wait at most @timeout_usec until what was sent is read. Return: whether all
 * of the ring was. */
bool channel_settle(struct channel *channel, uint64_t timeout_usec);

/** channel_fd() - to watch for room in the sink while channel_ship() gives -EAGAIN; -1: none. */
int channel_fd(const struct channel *channel);

/** channel_wait() - wait a little for the sink to take more, not beyond @end (CLOCK_MONOTONIC). */
void channel_wait(const struct channel *channel, uint64_t end);

/** channel_wake_usec() - when to call channel_ship() at the latest (CLOCK_MONOTONIC); USEC_NEVER.
 */
uint64_t channel_wake_usec(const struct channel *channel);
