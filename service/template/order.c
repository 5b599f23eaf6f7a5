/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of a fixed size; descriptors are complete or the message is refused. */
#include "template/order.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(ORDER_FDS * sizeof(int))];
};

int order_socket(int ends[static 2])
{
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0
                       ? -errno
                       : 0;
}

int order_send(int end, const struct order *order, const int fds[static ORDER_FDS])
{
        union control control = {.header = {.cmsg_level = SOL_SOCKET,
                                            .cmsg_type = SCM_RIGHTS,
                                            .cmsg_len = CMSG_LEN(ORDER_FDS * sizeof(int))}};
        struct order copy = *order;
        struct iovec data = {.iov_base = &copy, .iov_len = sizeof(copy)};
        const struct msghdr header = {.msg_iov = &data,
                                      .msg_iovlen = 1,
                                      .msg_control = &control,
                                      .msg_controllen = sizeof(control)};

        memcpy(CMSG_DATA(&control.header), fds, ORDER_FDS * sizeof(int));
        return sendmsg(end, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* All of them, or none is left open. */
static int take_descriptors(struct msghdr *header, int fds[static ORDER_FDS])
{
        const struct cmsghdr *control = CMSG_FIRSTHDR(header);
        size_t n = 0;

        if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
                n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > ORDER_FDS)
                n = ORDER_FDS;
        if (n > 0)
                memcpy(fds, CMSG_DATA(control), n * sizeof(int));
        if (n == ORDER_FDS && !(header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                return 0;
        for (size_t i = 0; i < n; i++)
                (void)close(fds[i]);
        return -EBADMSG;
}

int order_receive(int end, struct order *ret, int fds[static ORDER_FDS])
{
        union control control;
        struct iovec data = {.iov_base = ret, .iov_len = sizeof(*ret)};
        struct msghdr header = {.msg_iov = &data,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                /* Without the padding, in which one more would have room. */
                                .msg_controllen = CMSG_LEN(ORDER_FDS * sizeof(int))};
        ssize_t size = recvmsg(end, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int r;

        if (size <= 0)
                return size < 0 ? -errno : 0;
        r = take_descriptors(&header, fds);
        if (r == 0 && size != sizeof(*ret)) {
                for (size_t i = 0; i < ORDER_FDS; i++)
                        (void)close(fds[i]);
                r = -EBADMSG;
        }
        return r < 0 ? r : 1;
}

int receipt_send(int end, const struct receipt *receipt)
{
        return send(end, receipt, sizeof(*receipt), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int receipt_receive(int end, struct receipt *ret)
{
        ssize_t size = recv(end, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC);

        if (size <= 0)
                return size < 0 ? -errno : 0;
        return size == sizeof(*ret) ? 1 : -EBADMSG;
}
