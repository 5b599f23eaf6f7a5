/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The master's own notify socket: what workers tell, by the protocol of sd_notify(3), with the pid
 * that the kernel vouches for.
 *
 * A path in a folder of our own, not an abstract name: that could be reached from the whole network
 * namespace.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/wear.h"

#define NOTIFY_TEXT_MAX 4096

struct notify {
        int fd;
        char path[108];  /* of the socket */
        bool own_folder; /* the folder was made for it and goes with it */
};

/* One message, taken apart. */
struct notification {
        pid_t pid;
        bool ready;
        bool stopping;
        bool beat;
        uint64_t extend_usec;  /* EXTEND_TIMEOUT_USEC=; 0: none */
        enum wear_reason worn; /* X_APPSRV_WORN=: it asks for a successor */
        uint64_t worn_memory;
        char *status; /* in @text; NULL: none */
        char text[NOTIFY_TEXT_MAX];
};

/** notify_listen() - open the socket, in $RUNTIME_DIRECTORY or a new folder. Return: 0, or a
 * negative errno. */
int notify_listen(struct notify *notify);

/** notify_close() - close and remove it. */
void notify_close(struct notify *notify);

/**
 * notify_receive() - read one message; never blocks
 *
 * Descriptors that come along are closed. Return: 1 when there was a message; 0 when there is none
 * now; it was no message when
 * @ret->pid is 0.
 */
int notify_receive(const struct notify *notify, struct notification *ret);

/** notification_parse() - take @ret->text apart, @size bytes of it are set. */
void notification_parse(struct notification *ret, size_t size);
