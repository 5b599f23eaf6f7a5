/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection a turn is enough: nobody asks for many. */
#include "worker/admin.h"

#include <sys/epoll.h>
#include <sys/socket.h>

static void on_connection(struct watch *watch)
{
        const struct admin_socket *one = (const struct admin_socket *)watch;
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd = accept4(watch->fd, (struct sockaddr *)&address, &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);

        /* Another worker may have been faster. */
        if (fd >= 0)
                one->admin->connected(one->admin->data, one->endpoint, fd,
                                      (const struct sockaddr *)&address, size);
}

bool admin_is_wanted(const struct endpoint *endpoints, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (endpoints[i].admin)
                        return true;
        return false;
}

int admin_watch(struct admin *admin, const struct endpoint *endpoints, size_t n)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < n && admin->n < ADMIN_SOCKETS_MAX; i++) {
                struct admin_socket *one = &admin->sockets[admin->n];

                if (!endpoints[i].admin)
                        continue;
                *one = (struct admin_socket){
                        .watch = {.fd = endpoints[i].fd, .ready = on_connection},
                        .admin = admin,
                        .endpoint = &endpoints[i],
                };
                r = loop_watch(admin->loop, &one->watch, EPOLLIN);
                admin->n += r == 0;
        }
        return r;
}

void admin_leave(struct admin *admin)
{
        while (admin->n > 0)
                loop_forget(admin->loop, &admin->sockets[--admin->n].watch);
}
