/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Orders and receipts: what is sent arrives, and what is no order or no receipt is refused and
 * leaves no descriptor behind. */
#include "template/order.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MASTER, TEMPLATE };

static int lowest_free(void)
{
        int fd = dup(STDIN_FILENO);

        assert(fd >= 0);
        assert(close(fd) == 0);
        return fd;
}

static bool same_file(int a, int b)
{
        struct stat first, second;

        assert(fstat(a, &first) == 0 && fstat(b, &second) == 0);
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static void open_fds(int fds[static ORDER_FDS])
{
        for (size_t i = 0; i < ORDER_FDS; i++) {
                int pair[2];

                assert(pipe(pair) == 0);
                fds[i] = pair[i % 2];
                assert(close(pair[1 - i % 2]) == 0);
        }
}

static void close_fds(const int fds[static ORDER_FDS])
{
        for (size_t i = 0; i < ORDER_FDS; i++)
                assert(close(fds[i]) == 0);
}

static void test_order_arrives(void)
{
        const struct order sent = {
                .serial = 5, .worker_id = 3, .slot = 7, .n_workers = 9, .box_kept = 1};
        struct order order;
        int ends[2], fds[ORDER_FDS], got[ORDER_FDS];

        open_fds(fds);
        assert(order_socket(ends) == 0);
        assert(order_receive(ends[TEMPLATE], &order, got) == -EAGAIN);
        assert(order_send(ends[MASTER], &sent, fds) == 0);
        assert(order_receive(ends[TEMPLATE], &order, got) == 1);
        assert(memcmp(&order, &sent, sizeof(order)) == 0);
        for (size_t i = 0; i < ORDER_FDS; i++) {
                assert(same_file(fds[i], got[i]));
                assert(fcntl(got[i], F_GETFD) == FD_CLOEXEC);
        }
        close_fds(got);
        assert(close(ends[MASTER]) == 0);
        assert(order_receive(ends[TEMPLATE], &order, got) == 0);
        assert(close(ends[TEMPLATE]) == 0);
        close_fds(fds);
}

/* @n descriptors and @size bytes. */
static void send_else(int end, const int *fds, size_t n, size_t size)
{
        static char bytes[sizeof(struct order) * 2];
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(2 * ORDER_FDS * sizeof(int))];
        } control = {.header = {.cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS,
                                .cmsg_len = CMSG_LEN(n * sizeof(int))}};
        struct iovec data = {.iov_base = bytes, .iov_len = size};
        struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

        if (n > 0) {
                memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
                header.msg_control = &control;
                header.msg_controllen = CMSG_SPACE(n * sizeof(int));
        }
        assert(sendmsg(end, &header, 0) == (ssize_t)size);
}

static void test_what_is_no_order_is_refused(void)
{
        static const struct {
                size_t n, size;
        } wrong[] = {{0, sizeof(struct order)},
                     {1, sizeof(struct order)},
                     {ORDER_FDS - 1, sizeof(struct order)},
                     {ORDER_FDS + 1, sizeof(struct order)},
                     {2 * ORDER_FDS, sizeof(struct order)},
                     {ORDER_FDS, sizeof(struct order) - 1},
                     {ORDER_FDS, 1},
                     {ORDER_FDS, sizeof(struct order) + 1}};
        int ends[2], fds[2 * ORDER_FDS], got[ORDER_FDS];
        struct order order;

        open_fds(fds);
        open_fds(fds + ORDER_FDS);
        assert(order_socket(ends) == 0);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                int before = lowest_free();

                send_else(ends[MASTER], fds, wrong[i].n, wrong[i].size);
                assert(order_receive(ends[TEMPLATE], &order, got) == -EBADMSG);
                assert(lowest_free() == before);
        }
        assert(close(ends[MASTER]) == 0 && close(ends[TEMPLATE]) == 0);
        close_fds(fds);
        close_fds(fds + ORDER_FDS);
}

static void test_receipts(void)
{
        const struct receipt pid = {.serial = 1, .result = 4711}, failure = {2, -EAGAIN};
        struct receipt got;
        int ends[2];

        assert(order_socket(ends) == 0);
        assert(receipt_receive(ends[MASTER], &got) == -EAGAIN);
        assert(receipt_send(ends[TEMPLATE], &pid) == 0);
        assert(receipt_send(ends[TEMPLATE], &failure) == 0);
        assert(receipt_receive(ends[MASTER], &got) == 1 && memcmp(&got, &pid, sizeof(got)) == 0);
        assert(receipt_receive(ends[MASTER], &got) == 1 &&
               memcmp(&got, &failure, sizeof(got)) == 0);
        assert(send(ends[TEMPLATE], "1234567", 7, 0) == 7);
        assert(receipt_receive(ends[MASTER], &got) == -EBADMSG);
        assert(send(ends[TEMPLATE], "123456789", 9, 0) == 9);
        assert(receipt_receive(ends[MASTER], &got) == -EBADMSG);
        assert(close(ends[TEMPLATE]) == 0);
        assert(receipt_receive(ends[MASTER], &got) == 0);
        assert(receipt_send(ends[MASTER], &pid) == -EPIPE);
        assert(close(ends[MASTER]) == 0);
}

int main(void)
{
        test_order_arrives();
        test_what_is_no_order_is_refused();
        test_receipts();
        return 0;
}
