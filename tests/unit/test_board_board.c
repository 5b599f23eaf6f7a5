/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The board: shared after fork(), one slot a worker, latencies to an eighth. */
#include "board/board.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct board *board_of(unsigned n)
{
        struct board *board = NULL;

        assert(board_new(&board, n) == 0);
        return board;
}

/* The percentile of one latency alone. */
static uint64_t told_as(uint64_t usec)
{
        struct board *board = board_of(1);
        uint64_t buckets[BOARD_LATENCY_BUCKETS];
        uint64_t told;

        board_count_request(board_slot(board, 0), 200, usec);
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                buckets[i] = atomic_load(&board_slot(board, 0)->latency[i]);
        told = board_percentile(buckets, 0.99);
        board_free(board);
        return told;
}

static void test_new_refuses_no_slots_and_leaves_ret_untouched(void)
{
        struct board *board = (void *)&board;

        assert(board_new(&board, 0) == -EINVAL && board == (void *)&board);
        board_free(NULL);
}

static void test_slots_are_clear_and_on_cache_lines_of_their_own(void)
{
        struct board *board = board_of(3);

        assert(board_n_slots(board) == 3);
        for (unsigned i = 0; i < 3; i++) {
                assert((uintptr_t)board_slot(board, i) % 64 == 0);
                assert(board_slot(board, i)->requests == 0);
        }
        assert((char *)board_slot(board, 1) - (char *)board_slot(board, 0) ==
               sizeof(struct board_slot));
        board_free(board);
}

static void test_what_a_child_counts_is_seen_by_the_parent(void)
{
        struct board *board = board_of(2);
        pid_t pid = fork();
        int status;

        assert(pid >= 0);
        if (pid == 0) {
                board_count_request(board_slot(board, 1), 404, 1000);
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
        assert(board_slot(board, 1)->requests == 1 && board_slot(board, 1)->responses[4] == 1);
        assert(board_slot(board, 0)->requests == 0);
        board_slot_clear(board_slot(board, 1));
        assert(board_slot(board, 1)->requests == 0 && board_slot(board, 1)->responses[4] == 0);
        board_free(board);
}

static void test_clear_leaves_nothing(void)
{
        static const struct board_slot clear;
        struct board *board = board_of(1);
        struct board_slot *slot = board_slot(board, 0);

        memset(slot, 0xff, sizeof(*slot));
        board_slot_clear(slot);
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                assert(slot->latency[i] == 0);
        assert(memcmp(slot, &clear, offsetof(struct board_slot, latency)) == 0);
        board_free(board);
}

static void test_statuses_are_counted_by_class(void)
{
        struct board *board = board_of(1);
        struct board_slot *slot = board_slot(board, 0);
        static const unsigned statuses[] = {0, 100, 204, 302, 499, 503, 999};

        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
                board_count_request(slot, statuses[i], 1);
        assert(slot->requests == 7 && slot->responses[0] == 2);
        for (size_t i = 1; i <= 5; i++)
                assert(slot->responses[i] == 1);
        board_free(board);
}

static void test_least_connections_counts_only_those_that_accept(void)
{
        struct board *board = board_of(3);

        assert(board_least_connections(board) == UINT32_MAX);
        board_slot(board, 0)->connections = 7;
        board_slot(board, 0)->accepting = 1;
        board_slot(board, 2)->connections = 9;
        board_slot(board, 2)->accepting = 1;
        assert(board_least_connections(board) == 7);
        board_slot(board, 1)->accepting = 1;
        assert(board_least_connections(board) == 0);
        board_slot(board, 1)->accepting = 0;
        board_slot(board, 0)->accepting = 0;
        assert(board_least_connections(board) == 9);
        board_free(board);
}

static void test_a_latency_is_told_to_an_eighth_and_never_too_short(void)
{
        for (uint64_t usec = 0; usec < 4 * UINT64_C(3600) * 1000000; usec += 1 + usec / 7) {
                uint64_t told = told_as(usec);

                assert(told >= usec && told <= usec + usec / 8);
        }
        assert(told_as(UINT64_MAX) == (UINT64_C(1) << 34) - 1);
}

static void test_percentile_of_nothing_is_zero(void)
{
        const uint64_t buckets[BOARD_LATENCY_BUCKETS] = {0};

        assert(board_percentile(buckets, 0.99) == 0);
}

static void test_percentile_is_where_the_share_is_reached(void)
{
        uint64_t buckets[BOARD_LATENCY_BUCKETS] = {[1] = 98, [5] = 1, [7] = 1};

        assert(board_percentile(buckets, 0.5) == 1);
        assert(board_percentile(buckets, 0.98) == 1);
        assert(board_percentile(buckets, 0.99) == 5);
        assert(board_percentile(buckets, 1) == 7);
}

int main(void)
{
        test_new_refuses_no_slots_and_leaves_ret_untouched();
        test_slots_are_clear_and_on_cache_lines_of_their_own();
        test_what_a_child_counts_is_seen_by_the_parent();
        test_clear_leaves_nothing();
        test_statuses_are_counted_by_class();
        test_least_connections_counts_only_those_that_accept();
        test_a_latency_is_told_to_an_eighth_and_never_too_short();
        test_percentile_of_nothing_is_zero();
        test_percentile_is_where_the_share_is_reached();
        return 0;
}
