/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring of encoded records in memory that its user provides, so that it can be memory shared with
 * another process.
 *
 * Not thread-safe: the log serialises its users. Holds no pointer, so it can be mapped anywhere.
 * Records are kept whole and in order; one that does not fit is refused, nothing is overwritten.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ring;

/**
 * ring_init() - make a ring of zeroed or used memory
 * @memory: aligned to 8 bytes; @size: of the memory, 4 KiB or more
 *
 * Return: the ring, which lives in @memory.
 */
struct ring *ring_init(void *memory, size_t size);

/** ring_reserve() - room for a record of @size bytes, contiguous; NULL when it does not fit now.
 * Valid until the next call. */
void *ring_reserve(struct ring *ring, size_t size);

/** ring_commit() - the record in the reserved room is complete. */
void ring_commit(struct ring *ring, size_t size);

/** ring_peek() - the oldest record: its bytes and, in @ret_size, their number; NULL when there is
 * none. */
const void *ring_peek(const struct ring *ring, size_t *ret_size);

/** ring_pop() - forget the oldest record. */
void ring_pop(struct ring *ring);

/** ring_used() - bytes that are taken, of ring_capacity(). */
size_t ring_used(const struct ring *ring);
size_t ring_capacity(const struct ring *ring);
