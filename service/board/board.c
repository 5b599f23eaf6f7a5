/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The board as one sealed file: a header, then cache-line-aligned slots. */
#include "board/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "board/sealed.h"

static const char magic[8] = "appsrvBD";

struct board_header {
        _Alignas(64) char magic[8];
        uint32_t version;
        uint32_t slot_size;
        uint32_t n_slots;
        _Atomic uint32_t closing; /* 1: the service stops */
};

struct board {
        int fd;
        unsigned n_slots; /* validated; the one in the file may have been scribbled over */
        struct board_header *header;
        struct board_slot *slots;
};

static size_t mapping_size(unsigned n_slots)
{
        return sizeof(struct board_header) + n_slots * sizeof(struct board_slot);
}

/* Return: a board that has @fd still to be taken over; NULL with errno. */
static struct board *map(int fd, size_t size, int protection)
{
        struct board *board = calloc(1, sizeof(*board));
        void *memory;

        if (!board)
                return NULL;
        memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED) {
                free(board);
                return NULL;
        }
        board->fd = fd;
        board->header = memory;
        board->slots = (struct board_slot *)(void *)(board->header + 1);
        return board;
}

int board_new(struct board **ret, unsigned n_slots)
{
        _cleanup_close_ int fd = -1;
        struct board *board;

        if (n_slots == 0)
                return -EINVAL;
        fd = sealed_new("appsrv-board", mapping_size(n_slots));
        if (fd < 0)
                return fd;
        board = map(fd, mapping_size(n_slots), PROT_READ | PROT_WRITE);
        if (!board)
                return -errno;
        (void)TAKE_FD(fd);
        board->n_slots = n_slots;
        memcpy(board->header->magic, magic, sizeof(magic));
        board->header->version = BOARD_VERSION;
        board->header->slot_size = sizeof(struct board_slot);
        board->header->n_slots = n_slots;
        *ret = board;
        return 0;
}

/* Return: 0, or why this is no header of a file of @size bytes. */
static int check(const struct board_header *header, unsigned n_slots, size_t size)
{
        if (memcmp(header->magic, magic, sizeof(magic)) != 0)
                return -EBADMSG;
        if (header->version != BOARD_VERSION || header->slot_size != sizeof(struct board_slot))
                return -EPROTONOSUPPORT;
        return n_slots > 0 && mapping_size(n_slots) == size ? 0 : -EBADMSG;
}

int board_view(struct board **ret, int fd)
{
        off_t size = sealed_size(fd);
        struct board *board;
        int r;

        if (size < (off_t)sizeof(struct board_header))
                return size < 0 ? (int)size : -EBADMSG;
        board = map(fd, (size_t)size, PROT_READ);
        if (!board)
                return -errno;
        board->n_slots = board->header->n_slots;
        r = check(board->header, board->n_slots, (size_t)size);
        if (r < 0) {
                (void)munmap(board->header, (size_t)size);
                free(board);
                return r;
        }
        *ret = board;
        return 0;
}

void board_free(struct board *board)
{
        if (!board)
                return;
        (void)munmap(board->header, mapping_size(board->n_slots));
        close_descriptor(&board->fd);
        free(board);
}

int board_fd(const struct board *board)
{
        return board->fd;
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
        atomic_store_explicit(&slot->steps_back, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->accepted, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->busy, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->queued, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->work, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->relieved, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->rested_usec, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->rests_usec, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->requests, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->log_shipped, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->log_lost, 0, memory_order_relaxed);
        for (size_t i = 0; i < 6; i++)
                atomic_store_explicit(&slot->responses[i], 0, memory_order_relaxed);
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                atomic_store_explicit(&slot->latency[i], 0, memory_order_relaxed);
}

void board_rest(struct board_slot *slot, uint64_t now)
{
        atomic_store_explicit(&slot->rests_usec, now, memory_order_relaxed);
}

void board_work(struct board_slot *slot, uint64_t now)
{
        uint64_t since = atomic_load_explicit(&slot->rests_usec, memory_order_relaxed);
        uint64_t rested = atomic_load_explicit(&slot->rested_usec, memory_order_relaxed);

        atomic_store_explicit(&slot->rests_usec, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->rested_usec, rested + now - since, memory_order_relaxed);
}

uint64_t board_rested_usec(const struct board_slot *slot, uint64_t now)
{
        uint64_t since = atomic_load_explicit(&slot->rests_usec, memory_order_relaxed);
        uint64_t rested = atomic_load_explicit(&slot->rested_usec, memory_order_relaxed);

        return since > 0 && since < now ? rested + now - since : rested;
}

void board_set_closing(struct board *board)
{
        atomic_store_explicit(&board->header->closing, 1, memory_order_relaxed);
}

bool board_is_closing(const struct board *board)
{
        return atomic_load_explicit(&board->header->closing, memory_order_relaxed);
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
