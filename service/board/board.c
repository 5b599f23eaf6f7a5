/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The board as one anonymous shared mapping of cache-line-aligned slots. */
#include "board/board.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct board {
        unsigned n_slots;
        struct board_slot *slots;
};

static size_t mapping_size(unsigned n_slots)
{
        return n_slots * sizeof(struct board_slot);
}

int board_new(struct board **ret, unsigned n_slots)
{
        struct board *board;
        void *memory;

        if (n_slots == 0)
                return -EINVAL;
        board = calloc(1, sizeof(*board));
        if (!board)
                return -ENOMEM;
        memory = mmap(NULL, mapping_size(n_slots), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
                free(board);
                return -ENOMEM;
        }
        board->n_slots = n_slots;
        board->slots = memory;
        *ret = board;
        return 0;
}

void board_free(struct board *board)
{
        if (!board)
                return;
        (void)munmap(board->slots, mapping_size(board->n_slots));
        free(board);
}

unsigned board_n_slots(const struct board *board)
{
        return board->n_slots;
}

struct board_slot *board_slot(struct board *board, unsigned i)
{
        return &board->slots[i];
}

void board_slot_clear(struct board_slot *slot)
{
        atomic_store_explicit(&slot->accepting, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->connections, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->busy, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->queued, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->requests, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->log_shipped, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->log_lost, 0, memory_order_relaxed);
        for (size_t i = 0; i < 6; i++)
                atomic_store_explicit(&slot->responses[i], 0, memory_order_relaxed);
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                atomic_store_explicit(&slot->latency[i], 0, memory_order_relaxed);
}

uint32_t board_least_connections(const struct board *board)
{
        uint32_t least = UINT32_MAX;

        for (unsigned i = 0; i < board->n_slots; i++) {
                const struct board_slot *slot = &board->slots[i];
                uint32_t connections =
                        atomic_load_explicit(&slot->connections, memory_order_relaxed);

                if (connections < least &&
                    atomic_load_explicit(&slot->accepting, memory_order_relaxed))
                        least = connections;
        }
        return least;
}

/* Powers of two, each cut into BOARD_LATENCY_STEPS equal steps. */
static size_t bucket_of(uint64_t usec)
{
        unsigned power;
        size_t bucket;

        if (usec < BOARD_LATENCY_STEPS)
                return (size_t)usec;
        power = 63 - (unsigned)__builtin_clzll(usec);
        bucket = (power - 2) * BOARD_LATENCY_STEPS +
                 (size_t)((usec >> (power - 3)) & (BOARD_LATENCY_STEPS - 1));
        return bucket < BOARD_LATENCY_BUCKETS ? bucket : BOARD_LATENCY_BUCKETS - 1;
}

static uint64_t bucket_end(size_t bucket)
{
        unsigned power;

        if (bucket < BOARD_LATENCY_STEPS)
                return bucket;
        power = (unsigned)(bucket / BOARD_LATENCY_STEPS) + 2;
        return ((uint64_t)(BOARD_LATENCY_STEPS + bucket % BOARD_LATENCY_STEPS + 1) << (power - 3)) -
               1;
}

/* One writer a slot, so a load and a store do what a locked addition would cost more for. */
static void increment(_Atomic uint64_t *counter)
{
        uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

        atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

void board_count_request(struct board_slot *slot, unsigned status, uint64_t duration_usec)
{
        unsigned class = status / 100;

        increment(&slot->requests);
        increment(&slot->responses[class <= 5 ? class : 0]);
        increment(&slot->latency[bucket_of(duration_usec)]);
}

uint64_t board_percentile(const uint64_t buckets[static BOARD_LATENCY_BUCKETS], double share)
{
        uint64_t total = 0, seen = 0;

        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                total += buckets[i];
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS && total > 0; i++) {
                seen += buckets[i];
                if ((double)seen >= share * (double)total)
                        return bucket_end(i);
        }
        return 0;
}
