/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel knows of a connection. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of a socket that is not TCP's nothing is known but what is unread, and who is gone. */
struct socket_facts {
        bool tcp;
        uint64_t received;     /* bytes that the client sent so far; the end of his stream is one */
        uint64_t taken;        /* those of them that we have read, while he has not closed */
        uint64_t acknowledged; /* bytes that he has taken */
        bool closed;           /* he has closed, or was faster after we did */
        bool gone;             /* not only his own side: he takes nothing any more */
        uint64_t unread;       /* bytes that are there and that we have not read */
};

/** socket_facts() - ask; costs two system calls, which lock the socket. */
struct socket_facts socket_facts(int fd);

/**
 * socket_probe() - find out whether he who has closed his side takes anything: he is gone soon
 * afterwards if not
 * @words: that change nothing for him; NULL: only the kernels talk, which takes a minute or two
 */
void socket_probe(int fd, const char *words);
