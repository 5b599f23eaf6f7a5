/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client who is there, sends no more, has left, or has reset the connection, on both kinds of
 * sockets. */
#include "worker/presence.h"

#include <appsrv/appsrv.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MSEC = 10000 };

struct pair {
        int client, server;
};

static struct pair unix_pair(void)
{
        int fds[2];

        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        return (struct pair){.client = fds[0], .server = fds[1]};
}

static struct pair tcp_pair(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct pair pair = {.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

        assert(listener >= 0 && pair.client >= 0);
        assert(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
        assert(listen(listener, 1) == 0);
        assert(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
        assert(connect(pair.client, (struct sockaddr *)&address, sizeof(address)) == 0);
        pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert(pair.server >= 0);
        (void)close(listener);
        return pair;
}

static struct presence presence_of(const struct pair *pair)
{
        struct presence presence;

        presence_init(&presence);
        assert(presence_look(&presence) == APPSRV_CLIENT_GONE);
        presence_begin(&presence, pair->server);
        assert(presence_look(&presence) == APPSRV_CLIENT_THERE);
        return presence;
}

/* Until what the client did has arrived. */
static void wait_for(const struct pair *pair)
{
        struct pollfd fd = {.fd = pair->server, .events = POLLRDHUP};

        assert(poll(&fd, 1, WAIT_MSEC) == 1);
}

static void close_hard(int fd)
{
        const struct linger at_once = {.l_onoff = 1};

        assert(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
        assert(close(fd) == 0);
}

static void test_bytes_that_nobody_has_read_change_nothing(struct pair pair)
{
        struct presence presence = presence_of(&pair);

        assert(send(pair.client, "x", 1, 0) == 1);
        assert(presence_look(&presence) == APPSRV_CLIENT_THERE);
        assert(shutdown(pair.client, SHUT_WR) == 0);
        wait_for(&pair);
        assert(presence_look(&presence) == APPSRV_CLIENT_CLOSED);
        (void)close(pair.client);
        (void)close(pair.server);
}

static void test_one_who_only_sends_no_more_is_not_gone(struct pair pair)
{
        struct presence presence = presence_of(&pair);

        assert(shutdown(pair.client, SHUT_WR) == 0);
        wait_for(&pair);
        assert(presence_look(&presence) == APPSRV_CLIENT_CLOSED);
        assert(send(pair.server, "x", 1, MSG_NOSIGNAL) == 1);
        assert(presence_look(&presence) == APPSRV_CLIENT_CLOSED);
        (void)close(pair.client);
        (void)close(pair.server);
}

/* On a unix socket it is certain; over TCP it looks as if he only sent no more. */
static void test_one_who_has_closed(struct pair pair, int expected)
{
        struct presence presence = presence_of(&pair);

        (void)close(pair.client);
        wait_for(&pair);
        assert(presence_look(&presence) == expected);
        (void)close(pair.server);
}

static void test_one_who_has_reset_the_connection_is_gone(void)
{
        struct pair pair = tcp_pair();
        struct presence presence = presence_of(&pair);

        close_hard(pair.client);
        wait_for(&pair);
        assert(presence_look(&presence) == APPSRV_CLIENT_GONE);
        (void)close(pair.server);
}

/* The number may be another connection's by then. */
static void test_connection_that_is_over_is_not_looked_at(void)
{
        struct pair pair = tcp_pair();
        struct presence presence = presence_of(&pair);

        presence_end(&presence);
        assert(presence_look(&presence) == APPSRV_CLIENT_GONE);
        (void)close(pair.client);
        (void)close(pair.server);
}

int main(void)
{
        test_bytes_that_nobody_has_read_change_nothing(unix_pair());
        test_bytes_that_nobody_has_read_change_nothing(tcp_pair());
        test_one_who_only_sends_no_more_is_not_gone(unix_pair());
        test_one_who_only_sends_no_more_is_not_gone(tcp_pair());
        test_one_who_has_closed(unix_pair(), APPSRV_CLIENT_GONE);
        test_one_who_has_closed(tcp_pair(), APPSRV_CLIENT_CLOSED);
        test_one_who_has_reset_the_connection_is_gone();
        test_connection_that_is_over_is_not_looked_at();
        return 0;
}
