/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a log: a page or two of header, then the buffer. */
#include "log/memory.h"

#include <errno.h>
#include <string.h>

#include "log/log.h"

#define PAGE ((size_t)4096)

static size_t header_size(void)
{
        return (sizeof(struct log_memory) + PAGE - 1) & ~(PAGE - 1);
}

size_t log_memory_size(size_t buffer_size)
{
        return header_size() + buffer_size;
}

size_t memory_divide(struct log_memory *memory, size_t buffer_size,
                     struct channel channels[static CHANNELS])
{
        char *buffer = (char *)memory + header_size();
        size_t n = atomic_load(&memory->split) == 1 ? CHANNELS : 1;
        size_t size = n == 1 ? buffer_size : buffer_size / 2 & ~(PAGE - 1);

        for (size_t i = 0; i < n; i++)
                ring_init(&channels[i].ring, &memory->positions[i], buffer + i * size, size);
        return n;
}

/* -- the memory of a dead process -- */

void memory_held(const struct channel *channels, size_t n, bool unread,
                 uint64_t held[static RECORD_KINDS])
{
        for (size_t i = 0; i < n; i++) {
                struct ring ring = channels[i].ring;
                struct ring_positions positions = {0};
                struct ring_entry entry;

                atomic_store(&positions.sent,
                             atomic_load(unread ? &ring.positions->read : &ring.positions->head));
                atomic_store(&positions.tail, atomic_load(&ring.positions->tail));
                ring.positions = &positions;
                while (ring_next(&ring, &entry)) {
                        if (entry.kind < RECORD_KINDS)
                                held[entry.kind]++;
                        ring_sent(&ring, &entry);
                }
        }
}

/* What was committed, did not leave and is not there any more was scribbled over. A count that
 * cannot be true is no count. */
static void count_damage(struct account *account, const struct channel *channels, size_t n)
{
        uint64_t held[RECORD_KINDS] = {0};

        memory_held(channels, n, false, held);
        for (size_t i = 0; i < RECORD_KINDS; i++) {
                uint64_t known = account_read(&account->done[i]) + held[i];
                uint64_t committed = account_read(&account->committed[i]);

                if (committed > known && committed - known < ring_capacity(&channels[0].ring))
                        account_lose(account, (enum record_kind)i, committed - known);
                atomic_store(&account->committed[i], known);
        }
}

int memory_adopt(struct log_memory *memory, struct channel *channels, size_t n)
{
        struct account *account = &memory->account;
        int damage = 0;
        bool told;

        for (size_t i = 0; i < n; i++)
                if (ring_adopt(&channels[i].ring) < 0)
                        damage = -EBADMSG;
        told = ring_holds(&channels[CHANNEL_MAIN].ring, account_read(&account->telling_end));
        if (account_adopt(account, told) < 0)
                damage = -EBADMSG;
        if (damage < 0)
                count_damage(account, channels, n);
        return damage;
}

/* -- looking at it from outside -- */

static uint64_t sum(const _Atomic uint64_t counters[static RECORD_KINDS])
{
        uint64_t total = 0;

        for (size_t i = 0; i < RECORD_KINDS; i++)
                total += account_read(&counters[i]);
        return total;
}

struct log_counters log_memory_counters(const void *memory, size_t size)
{
        const struct log_memory *log = memory;
        struct log_counters counters = {0};

        if (size < header_size())
                return counters;
        counters.shipped = sum(log->account.done);
        counters.lost = sum(log->account.lost);
        counters.capacity = size - header_size();
        for (size_t i = 0; i < CHANNELS; i++) {
                uint64_t read = account_read(&log->positions[i].read);

                counters.used += account_read(&log->positions[i].tail) - read;
        }
        if (counters.used > counters.capacity)
                counters.used = counters.capacity;
        return counters;
}
