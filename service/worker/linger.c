/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes are dropped in the kernel (MSG_TRUNC, tcp(7)), until the client closes or his time is up.
 */
#include "worker/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* All the time that one has; what he has not sent by then he will not read the answer for. */
#define LINGER_USEC (5 * USEC_PER_SEC)

#define LINGERS_MAX 256

/* So many bytes at a time, then the others have their turn. */
#define DROP_SIZE ((size_t)64 * 1024)

struct lingering {
        struct watch watch; /* first: what the loop gives back */
        struct lingering *next;
        uint64_t end;
};

void lingers_init(struct lingers *lingers, struct loop *loop)
{
        *lingers = (struct lingers){.loop = loop};
}

/* Only marks those that are over: the loop may still have others to call. */
static void on_bytes(struct watch *watch)
{
        struct lingering *lingering = (struct lingering *)watch;
        char dropped[DROP_SIZE]; /* never written: valgrind 3.19 wants it */
        ssize_t n = recv(watch->fd, dropped, sizeof(dropped), MSG_TRUNC | MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                lingering->end = 0;
}

void lingers_add(struct lingers *lingers, int fd)
{
        struct lingering *lingering =
                lingers->n < LINGERS_MAX ? calloc(1, sizeof(*lingering)) : NULL;

        if (!lingering)
                return;
        lingering->watch = (struct watch){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .ready = on_bytes};
        if (lingering->watch.fd < 0 || loop_watch(lingers->loop, &lingering->watch, EPOLLIN) < 0) {
                if (lingering->watch.fd >= 0)
                        (void)close(lingering->watch.fd);
                free(lingering);
                return;
        }
        (void)shutdown(fd, SHUT_WR);
        lingering->end = now_usec() + LINGER_USEC;
        lingering->next = lingers->first;
        lingers->first = lingering;
        lingers->n++;
}

static void end(struct lingers *lingers, struct lingering **link)
{
        struct lingering *lingering = *link;

        *link = lingering->next;
        lingers->n--;
        loop_forget(lingers->loop, &lingering->watch);
        (void)close(lingering->watch.fd);
        free(lingering);
}

void lingers_turn(struct lingers *lingers, uint64_t now)
{
        struct lingering **link = &lingers->first;

        while (*link) {
                if ((*link)->end <= now)
                        end(lingers, link);
                else
                        link = &(*link)->next;
        }
}

void lingers_done(struct lingers *lingers)
{
        lingers_turn(lingers, USEC_NEVER);
}

uint64_t lingers_wake_usec(const struct lingers *lingers)
{
        uint64_t wake = USEC_NEVER;

        for (const struct lingering *lingering = lingers->first; lingering;
             lingering = lingering->next)
                if (lingering->end < wake)
                        wake = lingering->end;
        return wake;
}
