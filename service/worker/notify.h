/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker tells its master: datagrams of the sd_notify(3) protocol to the master's own
 * socket. Loop thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct wear;

/** notify_open() - connect to the master's socket. Return: the descriptor, or a negative errno. */
int notify_open(const char *path);

/**
 * notify_send() - send one message, such as "READY=1"
 *
 * Never blocks: sd_notify() would, and a hung master must not hang its workers. Return: 0, -EAGAIN
 * when the master does not read now, or another negative errno.
 */
int notify_send(int fd, const char *message);

/** notify_beat() - tell that the loop turns, and all that the master must know, since the queue may
 * have been full before. Return: as notify_send(). */
int notify_beat(int fd, bool draining, const struct wear *wear);

/** notify_next_beat() - when the next one is due, after one that gave @r. */
uint64_t notify_next_beat(int r, uint64_t now, uint64_t watchdog);
