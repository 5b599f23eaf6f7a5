/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has arrived of a header is taken and kept as long as it is not whole, so that the loop is
 * not woken for it again; the last part of it is looked at first and taken to its end only. */
#include "worker/greeting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "request/proxy.h"

/* As long as a draining worker waits for the first request of a connection. */
#define DRAIN_USEC (2 * USEC_PER_SEC)

struct greeting {
        struct watch watch; /* first: what the loop gives back */
        TAILQ_ENTRY(greeting) entry;
        struct greetings *all;
        const struct endpoint *endpoint;
        struct sockaddr_storage peer;
        socklen_t peer_size;
        uint64_t since;
        size_t n; /* bytes of the header so far */
        unsigned char header[PROXY_HEADER_MAX];
};

void greetings_init(struct greetings *greetings, const struct greetings_options *options)
{
        *greetings = (struct greetings){.options = *options};
        TAILQ_INIT(&greetings->waiting);
}

/* Return: its descriptor, which is the caller's now. */
static int forget(struct greeting *greeting)
{
        struct greetings *greetings = greeting->all;
        int fd = greeting->watch.fd;

        loop_forget(greetings->options.loop, &greeting->watch);
        TAILQ_REMOVE(&greetings->waiting, greeting, entry);
        greetings->n--;
        free(greeting);
        return fd;
}

static void refuse(struct greeting *greeting, enum greeting_end end)
{
        const struct greetings_options *options = &greeting->all->options;

        options->ended(options->data, end, (const struct sockaddr *)&greeting->peer,
                       greeting->since);
        (void)close(forget(greeting));
}

static void hand_on(struct greeting *greeting, const struct proxy_header *header)
{
        const struct greetings_options *options = &greeting->all->options;
        const struct endpoint *endpoint = greeting->endpoint;
        struct sockaddr_storage address = greeting->peer;
        socklen_t size = greeting->peer_size;

        if (header->has_addresses) {
                address = header->source;
                size = header->source_size;
        }
        options->greeted(options->data, endpoint, forget(greeting),
                         (const struct sockaddr *)&address, size);
}

/* Take bytes from the socket that were looked at before. */
static int take(const struct greeting *greeting, size_t n)
{
        unsigned char bytes[PROXY_HEADER_MAX];

        return recv(greeting->watch.fd, bytes, n, MSG_DONTWAIT) == (ssize_t)n ? 0 : -EIO;
}

/* Also in the loop's turn: it may free itself there, and touches no other. */
static void on_bytes(struct watch *watch)
{
        struct greeting *greeting = (struct greeting *)watch;
        struct proxy_header header = {0};
        ssize_t n = recv(watch->fd, greeting->header + greeting->n,
                         sizeof(greeting->header) - greeting->n, MSG_PEEK | MSG_DONTWAIT);
        size_t before = greeting->n, whole;
        int size;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                refuse(greeting, GREETING_LEFT);
                return;
        }
        size = proxy_parse(greeting->header, before + (size_t)n, &header);
        whole = size > 0 ? (size_t)size : before + (size_t)n;
        if (size < 0 || take(greeting, whole - before) < 0) {
                refuse(greeting, GREETING_MALFORMED);
                return;
        }
        greeting->n = whole;
        if (size > 0)
                hand_on(greeting, &header);
}

void greetings_add(struct greetings *greetings, const struct endpoint *endpoint, int fd,
                   const struct sockaddr *peer, socklen_t size)
{
        const struct greetings_options *options = &greetings->options;
        struct greeting *greeting = NULL;
        bool may_send = address_set_has(options->trusted, peer);

        if (!may_send)
                options->ended(options->data, GREETING_STRANGER, peer, now_usec());
        else
                greeting = calloc(1, sizeof(*greeting));
        if (!greeting) {
                (void)close(fd);
                return;
        }
        greeting->watch = (struct watch){.fd = fd, .ready = on_bytes};
        greeting->all = greetings;
        greeting->endpoint = endpoint;
        greeting->since = now_usec();
        greeting->peer_size = size;
        memcpy(&greeting->peer, peer, size);
        TAILQ_INSERT_TAIL(&greetings->waiting, greeting, entry);
        greetings->n++;
        if (loop_watch(options->loop, &greeting->watch, EPOLLIN) < 0)
                (void)close(forget(greeting));
}

void greetings_done(struct greetings *greetings)
{
        struct greeting *greeting;

        while ((greeting = TAILQ_FIRST(&greetings->waiting)))
                (void)close(forget(greeting));
}

void greetings_drain(struct greetings *greetings)
{
        greetings->draining = true;
}

/* The oldest is the first whose time is up: all have as much. */
uint64_t greetings_wake_usec(const struct greetings *greetings)
{
        const struct greeting *oldest = TAILQ_FIRST(&greetings->waiting);
        uint64_t timeout = greetings->options.timeout;

        if (greetings->draining && timeout > DRAIN_USEC)
                timeout = DRAIN_USEC;
        return oldest ? oldest->since + timeout : USEC_NEVER;
}

void greetings_turn(struct greetings *greetings, uint64_t now)
{
        while (greetings_wake_usec(greetings) <= now)
                refuse(TAILQ_FIRST(&greetings->waiting), GREETING_EXPIRED);
}
