/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The board: counters of every worker in memory that the master and all workers share.
 *
 * Made by the master before it forks. One slot a live worker process; its worker is the only one
 * that writes it, everybody reads. Relaxed atomics: a reader sees each number whole, not all of
 * them at one instant. A process of no kin gets its descriptor and a view that it cannot write. The
 * layout is versioned: a reader takes the version that it knows and refuses all others.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_VERSION 5

/* Latencies are counted in buckets of one eighth of a power of two (12 %), from 1 us up to
 * 4.7 hours; the last one takes all above. */
#define BOARD_LATENCY_STEPS   8
#define BOARD_LATENCY_BUCKETS (32 * BOARD_LATENCY_STEPS)

struct board_slot {
        _Alignas(64) _Atomic uint16_t accepting; /* 1: takes new connections */
        _Atomic uint16_t steps_back;             /* 1: leaves them to the others for a moment */
        _Atomic uint32_t connections;
        _Atomic uint32_t busy;        /* application threads that run a request */
        _Atomic uint32_t queued;      /* requests that wait for one */
        _Atomic uint64_t accepted;    /* connections; a new worker begins with what others have */
        _Atomic uint32_t work;        /* of late, in thousandths of a processor or thread */
        _Atomic uint32_t relieved;    /* 1: of some connections, which others should take */
        _Atomic uint64_t rested_usec; /* how long the loop has waited for something to do */
        _Atomic uint64_t rests_usec;  /* since when it waits now; 0: it does not */
        _Atomic uint64_t requests;
        _Atomic uint64_t responses[6]; /* by status class, 0: none of them */
        _Atomic uint64_t log_shipped;
        _Atomic uint64_t log_lost;
        _Atomic uint64_t latency[BOARD_LATENCY_BUCKETS];
};

struct board;

/**
 * board_new() - make a board that children share after fork()
 * @ret: freed with board_free(), untouched on failure; all slots are clear
 *
 * Return: 0, -EINVAL for no slots, or another negative errno.
 */
int board_new(struct board **ret, unsigned n_slots);

/**
 * board_view() - look at a board that another process made
 * @fd: taken over on success
 *
 * Return: 0; -EPROTONOSUPPORT when its version is not known, -EBADMSG when it is no board or its
 * header is damaged, or another negative errno.
 */
int board_view(struct board **ret, int fd);

/** board_fd() - to be passed on to who may look; still the board's. */
int board_fd(const struct board *board);

/** board_free() - unmap and close it in this process; accepts NULL. */
void board_free(struct board *board);

unsigned board_n_slots(const struct board *board);

/** board_slot() - slot @i of 0 to board_n_slots() - 1; of a view it is read only. */
struct board_slot *board_slot(struct board *board, unsigned i);

/** board_slot_clear() - the slot's worker is gone: its numbers must not count any more. */
void board_slot_clear(struct board_slot *slot);

/** board_rest() - the loop waits from now on; board_work() - it does not any more. */
void board_rest(struct board_slot *slot, uint64_t now);
void board_work(struct board_slot *slot, uint64_t now);

/** board_rested_usec() - how long it has waited until now. Between two writes a reader may see one
 * wait too few or too many. */
uint64_t board_rested_usec(const struct board_slot *slot, uint64_t now);

/** board_set_closing() - the master: the whole service stops, no other generation takes over. */
void board_set_closing(struct board *board);

/** board_is_closing() - whether it does. */
bool board_is_closing(const struct board *board);

/** board_least_connections() - fewest connections among the slots that accept; UINT32_MAX when none
 * does. */
uint32_t board_least_connections(const struct board *board);

/** board_count_request() - one more request that is over. */
void board_count_request(struct board_slot *slot, unsigned status, uint64_t duration_usec);

/**
 * board_percentile() - the latency below which the share @share (0 to 1) of the counted requests
 * stayed
 *
 * Return: microseconds, the upper end of the bucket; 0 when nothing was counted.
 */
uint64_t board_percentile(const uint64_t buckets[static BOARD_LATENCY_BUCKETS], double share);
