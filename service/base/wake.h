/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A wake-up for a thread that waits in poll(2) or epoll_wait(2): however often it is told, one
 * write until it looks.
 */
#pragma once

#include <stdatomic.h>

struct wake {
        int fd; /* readable when told */
        atomic_int state;
};

/** wake_init() - ended with wake_done(). Return: 0, or a negative errno. */
int wake_init(struct wake *wake);

/** wake_done() - accepts one that wake_init() has failed for. */
void wake_done(struct wake *wake);

/** wake_tell() - there is something to do, which was made visible before. Any thread. */
void wake_tell(struct wake *wake);

/** wake_take() - before the thread does what there is to do. */
void wake_take(struct wake *wake);
