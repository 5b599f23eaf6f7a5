/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a client is still there, for the thread that works for him: it asks the kernel, and the
 * loop does not let libmicrohttpd close the descriptor meanwhile.
 */
#pragma once

#include <pthread.h>

struct presence {
        pthread_mutex_t lock; /* of @fd; held for a system call that does not wait */
        int fd;               /* borrowed; negative: the connection is over */
};

/** presence_init() - nobody is looked at yet. Loop thread. */
void presence_init(struct presence *presence);

/** presence_begin() - of this connection. Loop thread. */
void presence_begin(struct presence *presence, int fd);

/** presence_end() - the connection is over, its descriptor is about to be another one's. Loop
 * thread. */
void presence_end(struct presence *presence);

/** presence_look() - return: APPSRV_CLIENT_*. Any thread. */
int presence_look(struct presence *presence);
