/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring: records behind headers, each contiguous. Where the rest of the memory is too small for
 * a record, a header with the size SKIP says that the next one is at the beginning.
 *
 * The order of the stores is what a kill relies on: everything that a position covers is written
 * before the position. The kernel ends a process between two instructions, and all its stores so
 * far are seen by others.
 */
#include "log/ring.h"

#include <errno.h>
#include <string.h>

#define SKIP UINT32_MAX

/* More than any process can log; beyond, positions would begin again some day. */
#define POSITION_MAX (UINT64_C(1) << 62)

struct header {
        uint32_t size; /* of the record; SKIP: the next header is at the beginning of the memory */
        uint32_t kind;
        uint64_t written_usec;
};

_Static_assert(sizeof(struct header) == RING_ALIGNMENT, "headers are aligned as records are");

/* Sequentially consistent, because appender and sender each write their own position and then read
 * the other's: one of the two must see that there is something to send. */
static uint64_t get(const _Atomic uint64_t *position)
{
        return atomic_load(position);
}

static void set(_Atomic uint64_t *position, uint64_t value)
{
        atomic_store(position, value);
}

static uint64_t aligned(uint64_t size)
{
        return (size + RING_ALIGNMENT - 1) & ~(uint64_t)(RING_ALIGNMENT - 1);
}

static uint64_t footprint(uint64_t size)
{
        return sizeof(struct header) + aligned(size);
}

static char *at(const struct ring *ring, uint64_t position)
{
        return ring->data + position % ring->capacity;
}

/* Bytes from @position to the end of the memory. */
static uint64_t behind(const struct ring *ring, uint64_t position)
{
        return ring->capacity - position % ring->capacity;
}

static struct header header_at(const struct ring *ring, uint64_t position)
{
        struct header header;

        memcpy(&header, at(ring, position), sizeof(header));
        return header;
}

void ring_init(struct ring *ring, struct ring_positions *positions, void *data, size_t size)
{
        *ring = (struct ring){
                .positions = positions,
                .data = data,
                .capacity = size & ~(size_t)(RING_ALIGNMENT - 1),
        };
}

/* -- appending -- */

void *ring_reserve(struct ring *ring, size_t size)
{
        uint64_t tail = get(&ring->positions->tail);
        uint64_t used = tail - get(&ring->positions->head);
        uint64_t skipped = behind(ring, tail) < footprint(size) ? behind(ring, tail) : 0;

        if (size >= ring->capacity || used + skipped + footprint(size) > ring->capacity)
                return NULL;
        ring->reserved = tail + skipped;
        return at(ring, ring->reserved) + sizeof(struct header);
}

uint64_t ring_end(const struct ring *ring, size_t size)
{
        return ring->reserved + footprint(size);
}

static void put_header(const struct ring *ring, uint64_t position, struct header header)
{
        memcpy(at(ring, position), &header, sizeof(header));
}

bool ring_commit(struct ring *ring, size_t size, unsigned kind, uint64_t written_usec)
{
        uint64_t tail = get(&ring->positions->tail);

        if (ring->reserved != tail)
                put_header(ring, tail, (struct header){.size = SKIP});
        put_header(ring, ring->reserved,
                   (struct header){
                           .size = (uint32_t)size,
                           .kind = kind,
                           .written_usec = written_usec,
                   });
        set(&ring->positions->tail, ring_end(ring, size));
        return get(&ring->positions->sent) == tail;
}

bool ring_holds(const struct ring *ring, uint64_t end)
{
        return end != 0 && end <= get(&ring->positions->tail);
}

/* -- reading -- */

/* The record at or behind @position, which is below @limit. Return: whether it is one that keeps
 * within its limits. */
static bool read_entry(const struct ring *ring, uint64_t position, uint64_t limit,
                       struct ring_entry *ret)
{
        struct header header = header_at(ring, position);

        if (header.size == SKIP) {
                position += behind(ring, position);
                if (position >= limit)
                        return false;
                header = header_at(ring, position);
        }
        if (limit - position < sizeof(header) || footprint(header.size) > limit - position ||
            footprint(header.size) > behind(ring, position))
                return false;
        *ret = (struct ring_entry){
                .record = at(ring, position) + sizeof(header),
                .size = header.size,
                .kind = header.kind & 0xff,
                .written_usec = header.written_usec,
                .end = position + footprint(header.size),
        };
        return true;
}

bool ring_next(const struct ring *ring, struct ring_entry *ret)
{
        uint64_t sent = get(&ring->positions->sent);
        uint64_t tail = get(&ring->positions->tail);

        if (sent >= tail || !read_entry(ring, sent, tail, ret))
                return false;
        ret->again = sent < get(&ring->positions->doubt);
        return true;
}

/* -- sending -- */

static void raise_to(_Atomic uint64_t *position, uint64_t value)
{
        if (get(position) < value)
                set(position, value);
}

void ring_try(struct ring *ring, const struct ring_entry *entry)
{
        set(&ring->positions->tried, entry->end);
}

void ring_retract(struct ring *ring)
{
        set(&ring->positions->tried, get(&ring->positions->sent));
}

void ring_sent(struct ring *ring, const struct ring_entry *entry)
{
        set(&ring->positions->sent, entry->end);
}

void ring_resend(struct ring *ring)
{
        uint64_t head = get(&ring->positions->head);

        raise_to(&ring->positions->doubt, get(&ring->positions->sent));
        set(&ring->positions->read, head);
        set(&ring->positions->sent, head);
}

void ring_read(struct ring *ring, uint64_t sent, uint64_t unread)
{
        uint64_t read = get(&ring->positions->read);
        uint64_t limit = sent > unread ? sent - unread : 0;
        struct ring_entry entry;

        while (read < limit && read_entry(ring, read, sent, &entry) && entry.end <= limit)
                read = entry.end;
        set(&ring->positions->read, read);
}

void ring_forget(struct ring *ring, uint64_t limit, bool newest, uint64_t *forgotten,
                 size_t n_kinds)
{
        uint64_t head = get(&ring->positions->head);
        uint64_t read = get(&ring->positions->read);
        struct ring_entry entry;

        while (head < read && head < limit && read_entry(ring, head, read, &entry)) {
                if (newest && entry.end >= read)
                        break;
                if (entry.kind < n_kinds)
                        forgotten[entry.kind]++;
                head = entry.end;
        }
        set(&ring->positions->head, head);
}

/* -- after a death -- */

static bool positions_valid(const struct ring *ring)
{
        uint64_t head = get(&ring->positions->head);
        uint64_t read = get(&ring->positions->read);
        uint64_t sent = get(&ring->positions->sent);
        uint64_t tail = get(&ring->positions->tail);

        return head <= read && read <= sent && sent <= tail && tail <= POSITION_MAX &&
               tail - head <= ring->capacity && (head | read | sent | tail) % RING_ALIGNMENT == 0;
}

static void set_all(struct ring_positions *positions, uint64_t value)
{
        set(&positions->tail, value);
        set(&positions->sent, value);
        set(&positions->read, value);
        set(&positions->head, value);
        set(&positions->tried, value);
        set(&positions->doubt, value);
}

/* Walk all records, so that whoever reads later meets only sound ones. Return: 0 or -EBADMSG. */
static int cut_at_damage(struct ring *ring)
{
        uint64_t position = get(&ring->positions->head);
        uint64_t read = get(&ring->positions->read);
        uint64_t tail = get(&ring->positions->tail);
        struct ring_entry entry;
        bool met = false; /* the records from which on it is sent */

        while (position < tail && read_entry(ring, position, tail, &entry)) {
                met |= position == read;
                position = entry.end;
        }
        met |= position == read;
        if (position == tail && met)
                return 0;
        if (!met)
                ring_resend(ring);
        set(&ring->positions->tail, position);
        return -EBADMSG;
}

int ring_adopt(struct ring *ring)
{
        struct ring_positions *positions = ring->positions;
        int r;

        if (!positions_valid(ring)) {
                set_all(positions, 0);
                return -EBADMSG;
        }
        raise_to(&positions->doubt, get(&positions->tried));
        raise_to(&positions->doubt, get(&positions->sent));
        set(&positions->sent, get(&positions->read));
        r = cut_at_damage(ring);
        if (get(&positions->doubt) > get(&positions->tail))
                set(&positions->doubt, get(&positions->tail));
        set(&positions->tried, get(&positions->sent));
        return r;
}

/* -- questions -- */

uint64_t ring_position(const struct ring *ring)
{
        return get(&ring->positions->sent);
}

uint64_t ring_read_position(const struct ring *ring)
{
        return get(&ring->positions->read);
}

/* The head first: for another thread than the two, it may pass the tail of an instant ago. */
size_t ring_used(const struct ring *ring)
{
        uint64_t head = get(&ring->positions->head);

        return (size_t)(get(&ring->positions->tail) - head);
}

size_t ring_unforgotten(const struct ring *ring)
{
        return (size_t)(get(&ring->positions->sent) - get(&ring->positions->head));
}

size_t ring_unread(const struct ring *ring)
{
        return (size_t)(get(&ring->positions->sent) - get(&ring->positions->read));
}

bool ring_waiting(const struct ring *ring)
{
        return get(&ring->positions->sent) < get(&ring->positions->tail);
}

size_t ring_capacity(const struct ring *ring)
{
        return ring->capacity;
}
