/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The board: shared after fork(), one slot a worker, latencies to an eighth. */
#include "board/board.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

/* -- views -- */

static int read_only(int fd)
{
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return open(path, O_RDONLY | O_CLOEXEC);
}

static void test_view_shows_what_is_counted_later(void)
{
        struct board *board = board_of(3), *view = NULL;

        assert(board_view(&view, read_only(board_fd(board))) == 0);
        assert(board_n_slots(view) == 3);
        board_count_request(board_slot(board, 2), 503, 1);
        assert(board_slot(view, 2)->responses[5] == 1 && board_slot(view, 1)->requests == 0);
        board_free(board);
        assert(board_slot(view, 2)->responses[5] == 1);
        board_free(view);
}

static void test_descriptor_for_reading_cannot_be_mapped_for_writing(void)
{
        struct board *board = board_of(1);
        int fd = read_only(board_fd(board));

        assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
        assert(errno == EACCES && ftruncate(board_fd(board), 0) < 0 && errno == EPERM);
        assert(close(fd) == 0);
        board_free(board);
}

/* A file with the bytes of a board of two slots, @at of them changed. */
static int damaged(size_t at, unsigned char byte, size_t size, bool sealed)
{
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct board *board = board_of(2);
        static unsigned char bytes[16384];

        assert(fd >= 0 && size <= sizeof(bytes));
        assert(pread(board_fd(board), bytes, size, 0) > 0);
        bytes[at] = byte;
        assert(write(fd, bytes, size) == (ssize_t)size);
        assert(!sealed || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
        board_free(board);
        return fd;
}

static void refused(int fd, int error)
{
        struct board *view = (void *)&view;

        assert(fd >= 0 && board_view(&view, fd) == error && view == (void *)&view);
        assert(close(fd) == 0);
}

static void test_view_refuses_what_is_no_board(void)
{
        const size_t whole = 64 + 2 * sizeof(struct board_slot);
        const size_t version = 8, slot_size = 12, n_slots = 16;
        struct board *view = NULL;
        int fd = damaged(version, BOARD_VERSION, whole, true);

        assert(board_view(&view, fd) == 0);
        board_free(view);
        refused(damaged(0, 'x', whole, true), -EBADMSG);
        refused(damaged(version, BOARD_VERSION + 1, whole, true), -EPROTONOSUPPORT);
        refused(damaged(slot_size, 1, whole, true), -EPROTONOSUPPORT);
        refused(damaged(n_slots, 0, whole, true), -EBADMSG);
        refused(damaged(n_slots, 3, whole, true), -EBADMSG);
        refused(damaged(n_slots, 2, whole - 1, true), -EBADMSG);
        refused(damaged(n_slots, 2, 20, true), -EBADMSG);
        refused(damaged(n_slots, 2, whole, false), -EBADMSG);
        refused(open("/dev/null", O_RDONLY | O_CLOEXEC), -EBADMSG);
}

/* Waits that are over and the one that goes on; what nobody waited is work. */
static void test_rest_is_counted_while_it_lasts_and_afterwards(void)
{
        struct board *board;
        struct board_slot *slot;

        assert(board_new(&board, 1) == 0);
        slot = board_slot(board, 0);
        assert(board_rested_usec(slot, 5000) == 0);
        board_rest(slot, 1000);
        assert(board_rested_usec(slot, 1000) == 0 && board_rested_usec(slot, 1700) == 700);
        board_work(slot, 2000);
        assert(board_rested_usec(slot, 2000) == 1000 && board_rested_usec(slot, 9000) == 1000);
        board_rest(slot, 9000);
        assert(board_rested_usec(slot, 9500) == 1500);
        /* Another process's clock was read a moment earlier. */
        assert(board_rested_usec(slot, 8000) == 1000);
        board_slot_clear(slot);
        assert(board_rested_usec(slot, 9500) == 0);
        board_free(board);
}

int main(void)
{
        test_rest_is_counted_while_it_lasts_and_afterwards();
        test_new_refuses_no_slots_and_leaves_ret_untouched();
        test_slots_are_clear_and_on_cache_lines_of_their_own();
        test_what_a_child_counts_is_seen_by_the_parent();
        test_clear_leaves_nothing();
        test_statuses_are_counted_by_class();
        test_least_connections_counts_only_those_that_accept();
        test_a_latency_is_told_to_an_eighth_and_never_too_short();
        test_percentile_of_nothing_is_zero();
        test_percentile_is_where_the_share_is_reached();
        test_view_shows_what_is_counted_later();
        test_descriptor_for_reading_cannot_be_mapped_for_writing();
        test_view_refuses_what_is_no_board();
        return 0;
}
