/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP_INFO (tcp(7), Linux 4.6 for the byte counts). Any thread. */
#include "worker/socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* States of a TCP connection; <netinet/tcp.h>, which names them, and <linux/tcp.h>, which has all
 * of struct tcp_info, exclude each other. */
enum {
        STATE_CLOSE = 7,
        STATE_CLOSE_WAIT = 8,
        STATE_LAST_ACK = 9,
};

struct socket_facts socket_facts(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        int unread = 0;

        (void)ioctl(fd, FIONREAD, &unread);
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return (struct socket_facts){.unread = (uint64_t)unread};
        return (struct socket_facts){
                .tcp = true,
                .received = info.tcpi_bytes_received,
                .taken = info.tcpi_bytes_received - (uint32_t)unread,
                .acknowledged = info.tcpi_bytes_acked,
                .closed = info.tcpi_state == STATE_CLOSE || info.tcpi_state == STATE_CLOSE_WAIT ||
                          info.tcpi_state == STATE_LAST_ACK,
                .unread = (uint64_t)unread,
        };
}
