/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deadlines are stored when a stage begins; what was moved since then is asked for only when one is
 * reached. Loop thread. */
#include "worker/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker/socket.h"

/* How long a draining worker waits for the first request of a connection: the retransmission of a
 * lost first segment comes after 1 s (RFC 6298, 2.1), so 2 s see it. */
#define DRAIN_FRESH_USEC (2 * USEC_PER_SEC)

/* A connection that had an answer this recently is between two requests rather than idle: a
 * draining worker still takes the next one, so that a busy client finds no connection closed in its
 * hands. */
#define DRAIN_BETWEEN_USEC (500 * USEC_PER_MSEC)

/* While draining, idle connections are looked for this often. */
#define DRAIN_CHECK_USEC (100 * USEC_PER_MSEC)

/* What is over sooner, as most stages are, costs no question to the kernel. */
#define LOOK_USEC (100 * USEC_PER_MSEC)

/* Deadlines that are this close to each other are checked at once. */
#define CHECK_USEC (10 * USEC_PER_MSEC)

void connections_init(struct connections *connections, const struct config *config,
                      struct board_slot *slot)
{
        *connections = (struct connections){
                .config = config,
                .slot = slot,
                .earliest = USEC_NEVER,
        };
}

static void publish(const struct connections *connections)
{
        atomic_store_explicit(&connections->slot->connections, connections->n,
                              memory_order_relaxed);
}

static void format_peer(const struct sockaddr *address, char text[static REQUEST_PEER_MAX])
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

struct connection *connection_new(struct connections *connections, int fd,
                                  const struct sockaddr *address)
{
        struct connection *connection = calloc(1, sizeof(*connection));

        if (!connection)
                return NULL;
        connection->all = connections;
        connection->fd = fd;
        format_peer(address, connection->peer);
        connection->surplus = connections->n >= connections->config->http_worker_connections;

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
        publish(connections);
        free(connection);
}

/* -- stages -- */

static uint64_t timeout_of(const struct connection *connection)
{
        const struct config *config = connection->all->config;

        switch (connection->stage) {
        case CONNECTION_HEAD:
                return config->http_header_timeout;
        case CONNECTION_BODY:
                return config->http_body_timeout;
        case CONNECTION_SENDING:
                return config->http_send_timeout;
        case CONNECTION_IDLE:
                return config->http_keepalive;
        case CONNECTION_WORKING:
                break;
        }
        return USEC_NEVER;
}

static void set_deadline(struct connection *connection, uint64_t deadline)
{
        connection->deadline = deadline;
        if (deadline < connection->all->earliest)
                connection->all->earliest = deadline;
}

/* Only the kernel knows what a client has taken, or whether a next head has begun. */
static bool is_kernels(enum connection_stage stage)
{
        return stage == CONNECTION_SENDING || stage == CONNECTION_IDLE;
}

void connection_enter(struct connection *connection, enum connection_stage stage)
{
        uint64_t timeout;

        connection->stage = stage;
        connection->since = now_usec();
        connection->arrived = 0;
        connection->looked = !is_kernels(stage);
        timeout = timeout_of(connection);
        if (!connection->looked && timeout > LOOK_USEC)
                timeout = LOOK_USEC;
        set_deadline(connection, timeout == USEC_NEVER ? timeout : connection->since + timeout);
}

void connection_received(struct connection *connection, size_t size)
{
        connection->arrived += size;
}

/* -- deadlines -- */

/* What the kernel counts in a stage. */
static uint64_t counted(const struct connection *connection)
{
        struct socket_facts facts = socket_facts(connection->fd);

        return connection->stage == CONNECTION_SENDING ? facts.acknowledged : facts.received;
}

/* What was moved since the stage began, as time at the minimum rate. */
static uint64_t earned_usec(const struct connection *connection)
{
        uint64_t moved = 0;

        if (connection->stage == CONNECTION_BODY)
                moved = connection->arrived;
        else if (connection->stage == CONNECTION_SENDING)
                moved = counted(connection) - connection->base;
        return moved * USEC_PER_SEC / connection->all->config->http_minimum_rate;
}

/* The deadline is reached. Return: whether there is a later one. */
static bool put_off(struct connection *connection, uint64_t now)
{
        uint64_t deadline;

        if (!connection->looked) {
                connection->looked = true;
                connection->base = counted(connection);
        } else if (connection->stage == CONNECTION_IDLE && counted(connection) > connection->base) {
                connection_enter(connection, CONNECTION_HEAD);
                return true;
        }
        deadline = connection->since + timeout_of(connection) + earned_usec(connection);
        if (deadline <= now)
                return false;
        set_deadline(connection, deadline);
        return true;
}

static void expire(struct connection *connection)
{
        connection->expired = true;
        connection->deadline = USEC_NEVER;
        (void)shutdown(connection->fd, SHUT_RDWR);
}

static bool idle(const struct connection *connection, uint64_t now)
{
        uint64_t patience = connection->served ? DRAIN_BETWEEN_USEC : DRAIN_FRESH_USEC;

        return !connection->transaction && now >= connection->since + patience;
}

static void check(struct connection *connection, uint64_t now)
{
        if (connection->deadline <= now && !put_off(connection, now))
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
