/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections are looked at now and then, those that are in one stage for long: what they moved is
 * asked for only then. Loop thread. */
#include "worker/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker/socket.h"
#include "worker/transaction.h"
#include "worker/watch.h"

/* How long a draining worker waits for the first request of a connection: the retransmission of a
 * lost first segment comes after 1 s (RFC 6298, 2.1), so 2 s see it. */
#define DRAIN_FRESH_USEC (2 * USEC_PER_SEC)

/* A connection that had an answer this recently is between two requests rather than idle: a
 * draining worker still takes the next one, so that a busy client finds no connection closed in its
 * hands. */
#define DRAIN_BETWEEN_USEC (500 * USEC_PER_MSEC)

/* While draining, idle connections are looked for this often. */
#define DRAIN_CHECK_USEC (100 * USEC_PER_MSEC)

/* How long one may take to ask that will only be told that there are too many. */
#define SURPLUS_USEC USEC_PER_SEC

/* Connections of an address that are told so, beyond its limit. */
#define ADDRESS_SURPLUS 16

/* What is over sooner, as most stages are, costs no question to the kernel. */
#define FIRST_LOOK_USEC (100 * USEC_PER_MSEC)
#define LOOK_USEC       USEC_PER_SEC

/* Deadlines that are this close to each other are checked at once. */
#define CHECK_USEC (10 * USEC_PER_MSEC)

static uint64_t least(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

void connections_init(struct connections *connections, const struct config *config,
                      struct board_slot *slot, uint64_t seed)
{
        *connections = (struct connections){
                .config = config,
                .slot = slot,
                .earliest = USEC_NEVER,
        };
        /* It was read before, when the configuration was checked. */
        (void)address_set_parse(config->http_forwarded_allow_ips, &connections->trusted);
        address_counts_init(&connections->addresses, seed);
}

static void publish(const struct connections *connections)
{
        atomic_store_explicit(&connections->slot->connections,
                              connections->n - connections->n_admin + connections->arriving +
                                      connections->greeting,
                              memory_order_relaxed);
}

void connections_arriving(struct connections *connections, unsigned n)
{
        if (connections->arriving == n)
                return;
        connections->arriving = n;
        publish(connections);
}

void connections_greeting(struct connections *connections, unsigned n)
{
        if (connections->greeting == n)
                return;
        connections->greeting = n;
        publish(connections);
}

void connection_format_peer(const struct sockaddr *address, char text[static REQUEST_PEER_MAX])
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        const char *written = NULL;

        if (address->sa_family == AF_INET)
                written = inet_ntop(AF_INET, &v4->sin_addr, text, REQUEST_PEER_MAX);
        else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
                written = inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, REQUEST_PEER_MAX);
        else if (address->sa_family == AF_INET6)
                written = inet_ntop(AF_INET6, &v6->sin6_addr, text, REQUEST_PEER_MAX);
        if (!written)
                (void)snprintf(text, REQUEST_PEER_MAX, "unix");
}

/* Who it is when the connection was made (unix(7)): a process that gets it later is not seen. */
static void find_credentials(struct connection *connection)
{
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return;
        (void)snprintf(connection->peer_uid, sizeof(connection->peer_uid), "%u", credentials.uid);
        (void)snprintf(connection->peer_pid, sizeof(connection->peer_pid), "%d", credentials.pid);
}

/* Whether there are too many already: in all, or of this client. Who brings far more than he may is
 * not even told. */
static void judge_number(struct connection *connection, const struct sockaddr *address)
{
        struct connections *connections = connection->all;
        unsigned limit = connections->config->http_limit_connections_per_address;
        unsigned n = 0;

        if (limit > 0 && !connection->trusted)
                n = address_counts_enter(&connections->addresses, address, &connection->of_address);
        if (connections->n - connections->n_admin >= connections->config->http_worker_connections)
                connection->surplus = "too many connections";
        else if (limit > 0 && n > limit)
                connection->surplus = "too many connections from this address";
        if (limit > 0 && n > limit + ADDRESS_SURPLUS)
                (void)shutdown(connection->fd, SHUT_RDWR);
}

struct connection *connection_new(struct connections *connections, int fd,
                                  const struct sockaddr *address, bool admin)
{
        struct connection *connection = calloc(1, sizeof(*connection));

        if (!connection)
                return NULL;
        connection->all = connections;
        connection->fd = fd;
        connection_format_peer(address, connection->peer);
        if (address->sa_family == AF_UNIX)
                find_credentials(connection);
        connection->trusted = address_set_has(&connections->trusted, address);
        /* The kernel counts the PROXY header, too. */
        if (!admin && connections->config->http_proxy_protocol != PROXY_PROTOCOL_OFF)
                connection->received = socket_facts(fd).taken;
        connection->admin = admin;
        connections->n_admin += admin;
        if (!admin)
                judge_number(connection, address);

        connection->next = connections->first;
        connection->link = &connections->first;
        if (connection->next)
                connection->next->link = &connection->next;
        connections->first = connection;
        connections->n++;
        publish(connections);
        connection_enter(connection, CONNECTION_HEAD);
        return connection;
}

void connection_free(struct connection *connection)
{
        struct connections *connections = connection->all;

        *connection->link = connection->next;
        if (connection->next)
                connection->next->link = connection->link;
        connections->n--;
        connections->n_admin -= connection->admin;
        publish(connections);
        address_counts_leave(&connections->addresses, connection->of_address);
        free(connection);
}

/* -- stages -- */

static uint64_t timeout_of(const struct connection *connection, uint64_t now)
{
        const struct config *config = connection->all->config;

        switch (connection->stage) {
        case CONNECTION_HEAD:
                return connection->surplus ? least(config->http_header_timeout, SURPLUS_USEC)
                                           : config->http_header_timeout;
        case CONNECTION_BODY:
                return config->http_body_timeout;
        case CONNECTION_SENDING:
                return config->http_send_timeout;
        case CONNECTION_IDLE:
                return config->http_keepalive;
        case CONNECTION_WORKING:
                return transaction_time_left(connection->transaction, now);
        }
        return USEC_NEVER;
}

static void set_deadline(struct connection *connection, uint64_t deadline)
{
        connection->deadline = deadline;
        if (deadline < connection->all->earliest)
                connection->all->earliest = deadline;
}

static bool is_watched(const struct connection *connection)
{
        return connection->stage == CONNECTION_WORKING && watch_wanted(connection->transaction);
}

void connection_enter(struct connection *connection, enum connection_stage stage)
{
        uint64_t now = now_usec();
        uint64_t timeout;

        connection->stage = stage;
        timeout = timeout_of(connection, now);
        connection->since = connection->looked = now;
        connection->credit = timeout;
        connection->arrived = connection->moved = 0;
        connection->unread = (struct unread_bytes){0};
        connection->counted = stage == CONNECTION_BODY;
        if (timeout == USEC_NEVER && !is_watched(connection))
                set_deadline(connection, USEC_NEVER);
        else
                set_deadline(connection, now + least(timeout, FIRST_LOOK_USEC));
}

void connection_received(struct connection *connection, size_t size)
{
        connection->arrived += size;
}

/* -- looks -- */

/* What counts in a stage. */
static uint64_t moved_by(const struct connection *connection, const struct socket_facts *facts)
{
        switch (connection->stage) {
        case CONNECTION_BODY:
                return connection->arrived;
        case CONNECTION_SENDING:
                return facts->acknowledged;
        case CONNECTION_IDLE:
                return facts->received;
        case CONNECTION_HEAD:
        case CONNECTION_WORKING:
                break;
        }
        return 0;
}

/* What a neighbour on a unix socket has taken is not known: rather too patient than to cut him. */
static bool unlimited(const struct connection *connection, const struct socket_facts *facts)
{
        return connection->stage == CONNECTION_SENDING && !facts->tcp;
}

/* Time for what was moved since the last look. */
static uint64_t earned_usec(const struct connection *connection, uint64_t moved)
{
        if (connection->stage != CONNECTION_BODY && connection->stage != CONNECTION_SENDING)
                return 0;
        return (moved - connection->moved) * USEC_PER_SEC /
               connection->all->config->http_minimum_rate;
}

/* Account for the time since the last look. Return: whether there is any left. */
static bool settle(struct connection *connection, uint64_t moved, uint64_t now)
{
        uint64_t taken = now - connection->looked;
        uint64_t earned = connection->counted ? earned_usec(connection, moved) : 0;

        connection->credit = least(connection->credit + earned, timeout_of(connection, now));
        if (connection->credit <= taken)
                return false;
        connection->credit -= taken;
        connection->looked = now;
        connection->moved = moved;
        connection->counted = true;
        return true;
}

/*
 * He will not send the rest of what he has begun. 0.9.75 of libmicrohttpd does not notice when the
 * end of the stream arrives together with the last bytes: it takes a short read for the end of what
 * there is, and asks for an edge of epoll(7) that has been. The end of both directions makes
 * another one.
 */
static bool left_in_the_middle(const struct connection *connection,
                               const struct socket_facts *facts)
{
        return facts->closed && !facts->unread && connection->stage != CONNECTION_SENDING;
}

/*
 * What was there at the last look has not been read since, and no application is waited for: 0.9.75
 * of libmicrohttpd never reads on when a line between two chunks is larger than its buffer, and
 * keeps the loop awake for it.
 */
static bool nobody_reads(struct connection *connection, const struct socket_facts *facts)
{
        const struct unread_bytes before = connection->unread;
        const struct unread_bytes now = {.there = facts->unread, .taken = facts->taken};

        connection->unread = now;
        if (connection->stage != CONNECTION_BODY || before.there == 0 || now.there == 0)
                return false;
        return facts->tcp ? now.taken == before.taken : now.there == before.there;
}

/* Neither he nor a drain has to wait for a deadline. */
static void cut(struct connection *connection)
{
        connection->deadline = USEC_NEVER;
        (void)shutdown(connection->fd, SHUT_RDWR);
}

/* Return: whether its time is not up. */
static bool look_at_work(struct connection *connection, uint64_t now)
{
        uint64_t left = timeout_of(connection, now);
        uint64_t next = left;

        if (is_watched(connection)) {
                const struct socket_facts facts = socket_facts(connection->fd);

                next = least(left, LOOK_USEC);
                /* The last bytes of an encrypted connection say that it ends. */
                if (facts.gone || (facts.closed && connection->encrypted))
                        watch_left(connection->transaction);
                else if (facts.closed && !facts.unread)
                        watch_closed(connection->transaction, connection->fd);
        }
        set_deadline(connection, next == USEC_NEVER ? next : now + next);
        return left > 0;
}

static uint64_t until_next_look(const struct connection *connection)
{
        bool doubtful = connection->stage == CONNECTION_BODY && connection->unread.there > 0;

        return doubtful ? FIRST_LOOK_USEC : LOOK_USEC;
}

/* Return: whether the connection goes on. */
static bool look(struct connection *connection, uint64_t now)
{
        const struct socket_facts facts = socket_facts(connection->fd);
        uint64_t moved = moved_by(connection, &facts);

        if (left_in_the_middle(connection, &facts)) {
                cut(connection);
                return true;
        }
        if (nobody_reads(connection, &facts)) {
                transaction_refused_unanswered(connection->transaction, 400,
                                               "a line between two chunks is too long");
                cut(connection);
                return true;
        }
        if (connection->stage == CONNECTION_IDLE && connection->counted &&
            moved > connection->moved) {
                connection_enter(connection, CONNECTION_HEAD);
                return true;
        }
        if (!unlimited(connection, &facts) && !settle(connection, moved, now))
                return false;
        set_deadline(connection, now + least(connection->credit, until_next_look(connection)));
        return true;
}

static void expire(struct connection *connection)
{
        connection->deadline = USEC_NEVER;
        if (connection->stage == CONNECTION_WORKING) {
                transaction_overdue(connection->transaction);
                return;
        }
        connection->expired = true;
        (void)shutdown(connection->fd, SHUT_RDWR);
}

static bool idle(const struct connection *connection, uint64_t now)
{
        uint64_t patience = connection->served ? DRAIN_BETWEEN_USEC : DRAIN_FRESH_USEC;

        return !connection->transaction && now >= connection->since + patience;
}

static void check(struct connection *connection, uint64_t now)
{
        bool working = connection->stage == CONNECTION_WORKING;

        if (connection->deadline <= now &&
            !(working ? look_at_work(connection, now) : look(connection, now)))
                expire(connection);
        /* What is queued is read first, then the end of the stream is seen. */
        else if (connection->all->draining && idle(connection, now))
                (void)shutdown(connection->fd, SHUT_RD);
}

void connections_check(struct connections *connections, uint64_t now)
{
        if (now < connections_wake_usec(connections))
                return;
        connections->checked = now;
        connections->earliest = USEC_NEVER;
        for (struct connection *connection = connections->first; connection;
             connection = connection->next) {
                check(connection, now);
                if (connection->deadline < connections->earliest)
                        connections->earliest = connection->deadline;
        }
}

uint64_t connections_wake_usec(const struct connections *connections)
{
        uint64_t soonest = connections->checked + CHECK_USEC;

        if (connections->draining && connections->n > 0)
                return connections->checked + DRAIN_CHECK_USEC;
        return connections->earliest > soonest ? connections->earliest : soonest;
}
