/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One poll(2) that does not wait: the same for TCP, encrypted or not, and for unix sockets. */
#include "worker/presence.h"

#include <appsrv/appsrv.h>

#include <poll.h>
#include <stddef.h>

void presence_init(struct presence *presence)
{
        (void)pthread_mutex_init(&presence->lock, NULL);
        presence->fd = -1;
}

static void set_descriptor(struct presence *presence, int fd)
{
        (void)pthread_mutex_lock(&presence->lock);
        presence->fd = fd;
        (void)pthread_mutex_unlock(&presence->lock);
}

void presence_begin(struct presence *presence, int fd)
{
        set_descriptor(presence, fd);
}

void presence_end(struct presence *presence)
{
        set_descriptor(presence, -1);
}

/* Both directions are shut only when he has reset the connection, it has timed out, or it is over.
 */
static int ask_kernel(int fd)
{
        struct pollfd look = {.fd = fd, .events = POLLRDHUP};

        if (poll(&look, 1, 0) <= 0)
                return APPSRV_CLIENT_THERE;
        return look.revents & (POLLHUP | POLLERR | POLLNVAL) ? APPSRV_CLIENT_GONE
                                                             : APPSRV_CLIENT_CLOSED;
}

int presence_look(struct presence *presence)
{
        int seen;

        (void)pthread_mutex_lock(&presence->lock);
        seen = presence->fd < 0 ? APPSRV_CLIENT_GONE : ask_kernel(presence->fd);
        (void)pthread_mutex_unlock(&presence->lock);
        return seen;
}
