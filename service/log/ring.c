/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring: records behind 8-byte headers, each contiguous. Where the rest of the memory is too
 * small for a record, a header with the mark SKIP says that the next one is at the beginning.
 */
#include "log/ring.h"

#include <string.h>

#define ALIGNMENT 8
#define SKIP      UINT64_MAX

struct ring {
        uint64_t capacity; /* bytes of data[], a multiple of ALIGNMENT */
        uint64_t head;     /* where the oldest record's header is */
        uint64_t tail;     /* where the next header goes */
        uint64_t used;     /* bytes between them, headers and what is skipped included */
        uint64_t
                reserved; /* bytes that the reserved record skips at the end; 0: it does not wrap */
        char data[];
};

static size_t aligned(size_t size)
{
        return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static uint64_t header_at(const struct ring *ring, uint64_t offset)
{
        uint64_t header;

        memcpy(&header, ring->data + offset, sizeof(header));
        return header;
}

static void set_header(struct ring *ring, uint64_t offset, uint64_t header)
{
        memcpy(ring->data + offset, &header, sizeof(header));
}

struct ring *ring_init(void *memory, size_t size)
{
        struct ring *ring = memory;

        *ring = (struct ring){.capacity = (size - sizeof(*ring)) & ~(size_t)(ALIGNMENT - 1)};
        return ring;
}

void *ring_reserve(struct ring *ring, size_t size)
{
        uint64_t needed = sizeof(uint64_t) + aligned(size);
        uint64_t behind = ring->capacity - ring->tail; /* bytes up to the end of the memory */

        ring->reserved = 0;
        if (size > ring->capacity || ring->used + needed > ring->capacity)
                return NULL;
        if (behind < needed) {
                if (ring->used + behind + needed > ring->capacity)
                        return NULL;
                ring->reserved = behind;
                return ring->data + sizeof(uint64_t);
        }
        return ring->data + ring->tail + sizeof(uint64_t);
}

void ring_commit(struct ring *ring, size_t size)
{
        if (ring->reserved > 0) {
                set_header(ring, ring->tail, SKIP);
                ring->used += ring->reserved;
                ring->tail = 0;
                ring->reserved = 0;
        }
        set_header(ring, ring->tail, size);
        ring->tail += sizeof(uint64_t) + aligned(size);
        ring->used += sizeof(uint64_t) + aligned(size);
        if (ring->tail == ring->capacity)
                ring->tail = 0;
}

/* Where the oldest record's header is, behind what is skipped. */
static uint64_t oldest(const struct ring *ring)
{
        return header_at(ring, ring->head) == SKIP ? 0 : ring->head;
}

const void *ring_peek(const struct ring *ring, size_t *ret_size)
{
        uint64_t offset;

        if (ring->used == 0)
                return NULL;
        offset = oldest(ring);
        *ret_size = (size_t)header_at(ring, offset);
        return ring->data + offset + sizeof(uint64_t);
}

void ring_pop(struct ring *ring)
{
        uint64_t offset, size;

        if (ring->used == 0)
                return;
        offset = oldest(ring);
        if (offset != ring->head)
                ring->used -= ring->capacity - ring->head;
        size = sizeof(uint64_t) + aligned((size_t)header_at(ring, offset));
        ring->used -= size;
        ring->head = offset + size;
        if (ring->head == ring->capacity)
                ring->head = 0;
}

size_t ring_used(const struct ring *ring)
{
        return (size_t)ring->used;
}

size_t ring_capacity(const struct ring *ring)
{
        return (size_t)ring->capacity;
}
