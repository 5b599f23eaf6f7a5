/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP_INFO (tcp(7), Linux 4.6 for the byte counts). Any thread. */
#include "worker/socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* States of a TCP connection; <netinet/tcp.h>, which names them, and <linux/tcp.h>, which has all
 * of struct tcp_info, exclude each other. */
enum {
        STATE_CLOSE = 7,
        STATE_CLOSE_WAIT = 8,
        STATE_LAST_ACK = 9,
};

/* A neighbour on a unix socket that closes one side only hangs up no more than that. */
static bool is_gone(int fd)
{
        struct pollfd look = {.fd = fd};

        return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR));
}

struct socket_facts socket_facts(int fd)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        int unread = 0;

        (void)ioctl(fd, FIONREAD, &unread);
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return (struct socket_facts){.unread = (uint64_t)unread, .gone = is_gone(fd)};
        return (struct socket_facts){
                .tcp = true,
                .received = info.tcpi_bytes_received,
                .taken = info.tcpi_bytes_received - (uint32_t)unread,
                .acknowledged = info.tcpi_bytes_acked,
                .closed = info.tcpi_state == STATE_CLOSE || info.tcpi_state == STATE_CLOSE_WAIT ||
                          info.tcpi_state == STATE_LAST_ACK,
                .gone = info.tcpi_state == STATE_CLOSE,
                .unread = (uint64_t)unread,
        };
}

/* Of a client that was closed the kernel answers bytes with a reset; a probe without any only when
 * it has given up waiting for ours (tcp_fin_timeout, tcp(7)). */
void socket_probe(int fd, const char *words)
{
        static const struct {
                int level, name, value;
        } options[] = {
                {IPPROTO_TCP, TCP_KEEPIDLE, 10}, /* seconds */
                {IPPROTO_TCP, TCP_KEEPINTVL, 10},
                {SOL_SOCKET, SO_KEEPALIVE, 1},
        };

        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                                 sizeof(options[i].value));
        if (words)
                (void)send(fd, words, strlen(words), MSG_NOSIGNAL | MSG_DONTWAIT);
}
