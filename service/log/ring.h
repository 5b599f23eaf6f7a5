/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring of encoded records in memory that outlives the process: a kill at any instruction leaves a
 * record in it whole or not at all, and another process can go on where the first one was stopped.
 *
 * Positions are bytes since the ring was made and only ever grow; one store of a position is what
 * makes a record, a sending or a forgetting true. Four of them cut the ring:
 *
 *   head ... read      the sink has read it, and may have thrown it away
 *   read ... sent      handed to the sink, which may not have read it yet
 *   sent ... tail      waits
 *
 * Appending is done by one thread at a time (the log's mutex); reading, sending and forgetting by
 * one other (the log's owner), without a lock between the two. No I/O, no allocation.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each record costs a header and is padded to a multiple of it. */
#define RING_ALIGNMENT 16

/* What both processes see. All zero: an empty ring. */
struct ring_positions {
        _Atomic uint64_t head;
        _Atomic uint64_t read;
        _Atomic uint64_t sent;
        _Atomic uint64_t tail;
        _Atomic uint64_t tried; /* up to here sending was at least begun */
        _Atomic uint64_t doubt; /* what is sent below it may have arrived before */
};

/* One process's handle; what it points to belongs to its user. */
struct ring {
        struct ring_positions *positions;
        char *data;
        size_t capacity;
        uint64_t reserved; /* where the record that is being appended begins */
};

struct ring_entry {
        const char *record;
        size_t size;
        unsigned kind;         /* as given to ring_commit() */
        uint64_t written_usec; /* as given to ring_commit() */
        uint64_t end;          /* its position's end */
        bool again;            /* it may have arrived before */
};

/** ring_init() - a handle on @size bytes at @data (aligned to RING_ALIGNMENT) and on @positions;
 * nothing of either is changed. */
void ring_init(struct ring *ring, struct ring_positions *positions, void *data, size_t size);

/**
 * ring_adopt() - go on with a ring whose process is dead: what it was sending is sent again
 *
 * Trusts nothing that it finds: @ring is usable afterwards in any case. Return: 0, or -EBADMSG when
 * positions or records were damaged; what cannot be read is forgotten.
 */
int ring_adopt(struct ring *ring);

/** ring_reserve() - room for a record of @size bytes, contiguous; NULL when it does not fit now.
 * Valid until the next call. */
void *ring_reserve(struct ring *ring, size_t size);

/** ring_end() - the position at which the reserved record of @size bytes will end: ring_holds() is
 * true of it from the instant of ring_commit() on. */
uint64_t ring_end(const struct ring *ring, size_t size);

/** ring_commit() - the record in the reserved room is complete. @kind: 0 to 255. Return: whether
 * nothing else waits, so that the sender may be asleep. */
bool ring_commit(struct ring *ring, size_t size, unsigned kind, uint64_t written_usec);

/** ring_holds() - whether the record that ends at @end was ever committed; never for 0. */
bool ring_holds(const struct ring *ring, uint64_t end);

/** ring_next() - the oldest record that waits. Return: whether there is one. */
bool ring_next(const struct ring *ring, struct ring_entry *ret);

/** ring_try() - the next record is about to be sent: who adopts the ring after a kill sends it
 * again, marked. ring_retract() - it was not sent. ring_sent() - it was. */
void ring_try(struct ring *ring, const struct ring_entry *entry);
void ring_retract(struct ring *ring);
void ring_sent(struct ring *ring, const struct ring_entry *entry);

/** ring_resend() - send again, marked, what was sent and is not forgotten yet. */
void ring_resend(struct ring *ring);

/** ring_read() - the sink has read all but the last @unread bytes that were sent by @sent, a
 * ring_position(). */
void ring_read(struct ring *ring, uint64_t sent, uint64_t unread);

/**
 * ring_forget() - forget records that were read, oldest first
 * @limit:     up to this position
 * @newest:    the newest one that was read is kept
 * @forgotten: their number is added, by kind below @n_kinds
 */
void ring_forget(struct ring *ring, uint64_t limit, bool newest, uint64_t *forgotten,
                 size_t n_kinds);

/** ring_position() - up to where it was sent; ring_read_position() - and read. */
uint64_t ring_position(const struct ring *ring);
uint64_t ring_read_position(const struct ring *ring);

/** ring_used() - bytes that are taken, of ring_capacity(); ring_unforgotten() - of these, those
 * that were sent; ring_unread() - of these, those that may not have been read; ring_waiting() -
 * whether a record waits. */
size_t ring_used(const struct ring *ring);
size_t ring_unforgotten(const struct ring *ring);
size_t ring_unread(const struct ring *ring);
bool ring_waiting(const struct ring *ring);
size_t ring_capacity(const struct ring *ring);
