/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate of a worker. Plain EPOLLIN, not EPOLLEXCLUSIVE: a worker that steps back would
 * swallow the only wake-up. */
#include "worker/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/balance.h"

/* How many connections are taken before the loop looks at the requests of the others. */
#define ACCEPTS_PER_TURN 4

/* A worker that is ahead looks this often whether it still is, and waits so long in all for those
 * whose turn it is: with 16 workers on two processors 1 ms was too short for a third of them. */
#define LOOK_USEC USEC_PER_MSEC
#define WAIT_USEC (10 * USEC_PER_MSEC)

/* How long one waits that is full, for a sibling to take what comes. */
#define FULL_USEC (5 * USEC_PER_MSEC)

/* How long it waits when the system has no descriptor or memory for another connection. */
#define EXHAUSTED_USEC (100 * USEC_PER_MSEC)

struct listener {
        struct watch watch;
        struct acceptor *acceptor;
        const struct endpoint *endpoint;
};

struct acceptor {
        struct acceptor_options options;
        struct balance *balance;
        uint64_t paused_until; /* 0: accepting */
        uint64_t waits_until;  /* for siblings; 0: it does not */
        size_t n_listeners;
        struct listener listeners[];
};

static unsigned connections(const struct acceptor *acceptor)
{
        return atomic_load_explicit(&acceptor->options.slot->connections, memory_order_relaxed);
}

/* A hung sibling with room keeps the others from refusing anybody; the master ends it soon. */
static bool full(const struct acceptor *acceptor)
{
        unsigned n = connections(acceptor), limit = acceptor->options.limit;

        if (n < limit)
                return false;
        return n >= limit + acceptor->options.surplus ||
               board_least_connections(acceptor->options.board) < limit;
}

/* The kernel is told in acceptor_settle(), if it is still so then. */
static void pause_for(struct acceptor *acceptor, uint64_t usec)
{
        acceptor->paused_until = now_usec() + usec;
}

static void step_back(struct acceptor *acceptor)
{
        balance_step_back(acceptor->balance);
        pause_for(acceptor, LOOK_USEC);
        acceptor->waits_until = acceptor->paused_until - LOOK_USEC + WAIT_USEC;
}

static int watch_all(struct acceptor *acceptor)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < acceptor->n_listeners; i++)
                r = loop_watch(acceptor->options.loop, &acceptor->listeners[i].watch, EPOLLIN);
        return r;
}

static void forget_all(struct acceptor *acceptor)
{
        for (size_t i = 0; i < acceptor->n_listeners; i++)
                loop_forget(acceptor->options.loop, &acceptor->listeners[i].watch);
}

/* Errors that are the new connection's own (it was reset while it waited, accept(2)) or mean that
 * there is none. */
static bool try_next_time(int error)
{
        return error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS;
}

/* Return: whether there was a connection to take. */
static bool accept_one(struct acceptor *acceptor, const struct endpoint *endpoint)
{
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd;

        fd = accept4(endpoint->fd, (struct sockaddr *)&address, &size,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                if (!try_next_time(errno))
                        pause_for(acceptor, EXHAUSTED_USEC);
                return false;
        }
        balance_count(acceptor->balance);
        acceptor->options.connected(acceptor->options.data, endpoint, fd,
                                    (struct sockaddr *)&address, size);
        return true;
}

static void on_connection(struct watch *watch)
{
        struct listener *listener = (struct listener *)watch;
        struct acceptor *acceptor = listener->acceptor;

        for (unsigned i = 0; acceptor->paused_until == 0 && i < ACCEPTS_PER_TURN; i++) {
                if (full(acceptor)) {
                        pause_for(acceptor, FULL_USEC);
                        return;
                }
                if (balance_ahead(acceptor->balance)) {
                        step_back(acceptor);
                        return;
                }
                if (!accept_one(acceptor, listener->endpoint))
                        return;
        }
}

int acceptor_new(struct acceptor **ret, const struct acceptor_options *options)
{
        struct acceptor *acceptor;
        int r;

        acceptor = calloc(1, sizeof(*acceptor) +
                                     options->n_endpoints * sizeof(acceptor->listeners[0]));
        if (!acceptor)
                return -ENOMEM;

        acceptor->balance = balance_new(options->board, options->slot);
        if (!acceptor->balance) {
                free(acceptor);
                return -ENOMEM;
        }
        acceptor->options = *options;
        for (size_t i = 0; i < options->n_endpoints; i++) {
                if (options->endpoints[i].admin)
                        continue; /* no client comes there: admin.h */
                acceptor->listeners[acceptor->n_listeners++] = (struct listener){
                        .watch = {.fd = options->endpoints[i].fd, .ready = on_connection},
                        .acceptor = acceptor,
                        .endpoint = &options->endpoints[i],
                };
        }
        r = watch_all(acceptor);
        if (r < 0) {
                acceptor_free(acceptor);
                return r;
        }
        *ret = acceptor;
        return 0;
}

void acceptor_free(struct acceptor *acceptor)
{
        if (!acceptor)
                return;
        forget_all(acceptor);
        balance_free(acceptor->balance);
        free(acceptor);
}

/* One connection whatever the others have. Return: whether there was one. */
static bool accept_any(struct acceptor *acceptor)
{
        for (size_t i = 0; i < acceptor->n_listeners; i++)
                if (accept_one(acceptor, acceptor->listeners[i].endpoint))
                        return true;
        return false;
}

/* It is our turn again, or it was that of somebody who did not come. */
static void come_back(struct acceptor *acceptor, uint64_t now)
{
        bool early = now < acceptor->waits_until;

        if (early && balance_ahead(acceptor->balance)) {
                acceptor->paused_until = now + LOOK_USEC;
                return;
        }
        acceptor->waits_until = acceptor->paused_until = 0;
        balance_return(acceptor->balance, !early && accept_any(acceptor));
}

void acceptor_turn(struct acceptor *acceptor, uint64_t now)
{
        if (acceptor->waits_until > 0 && !full(acceptor)) {
                come_back(acceptor, now);
                return;
        }
        if (acceptor->paused_until == 0 || now < acceptor->paused_until)
                return;
        if (full(acceptor)) {
                acceptor->paused_until = now + FULL_USEC;
                return;
        }
        acceptor->paused_until = 0;
        (void)accept_any(acceptor);
}

void acceptor_settle(struct acceptor *acceptor)
{
        if (acceptor->paused_until == 0 && watch_all(acceptor) < 0)
                pause_for(acceptor, EXHAUSTED_USEC);
        if (acceptor->paused_until > 0)
                forget_all(acceptor);
}

uint64_t acceptor_wake_usec(const struct acceptor *acceptor)
{
        return acceptor->paused_until == 0 ? USEC_NEVER : acceptor->paused_until;
}
