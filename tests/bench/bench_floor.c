/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What no server can be much faster than: takes a connection, reads once, sends an answer that does
 * not depend on the request, and closes. Four system calls, no HTTP, no application.
 *
 *     bench_floor PORT PROCESSES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* As long as that of appsrv to the same request. */
static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                             "Content-Type: text/plain\r\n"
                             "Connection: close\r\n"
                             "Server: floor\r\n"
                             "X-Request-ID: 00000000000000000000000000000000\r\n"
                             "Content-Length: 13\r\n"
                             "\r\n"
                             "hello, world\n";

static int listen_on(in_port_t port)
{
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, SOMAXCONN) < 0)
                return -errno;
        return fd;
}

static void serve(int listener)
{
        char request[4096];
        int fd;

        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                if (recv(fd, request, sizeof(request), 0) > 0)
                        (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
                (void)close(fd);
        }
}

/* One ends with its parent. */
static int start(int listener)
{
        pid_t pid = fork();

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(listener);
                _exit(EXIT_FAILURE);
        }
        return pid < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
        int listener = argc == 3 ? listen_on((in_port_t)atoi(argv[1])) : -EINVAL;
        int r = listener < 0 ? listener : 0;

        for (int i = 0; r == 0 && i < atoi(argv[2]); i++)
                r = start(listener);
        if (r == 0)
                (void)wait(NULL);
        return EXIT_FAILURE;
}
