/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening sockets: those of systemd, told apart by their names, else those of --listen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/endpoint.h"

#define LISTEN_NAME_MAX 128
#define LISTENERS_MAX   64

struct listener {
        struct endpoint endpoint;
        char name[LISTEN_NAME_MAX]; /* the address, for people */
        char path[108];             /* of a unix socket that we made and must remove; else "" */
};

struct listeners {
        struct listener list[LISTENERS_MAX];
        size_t n;
};

/**
 * listen_address() - read an address: PORT, HOST:PORT, [V6]:PORT, unix:PATH or /PATH; HOST is
 * numeric or localhost
 *
 * Return: 0; -EINVAL when it is none of these, -ENAMETOOLONG.
 */
int listen_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size);

/**
 * listen_all() - take the sockets that systemd passed; when there is none, open @addresses (none:
 * 127.0.0.1:8080), those that begin with https: for encrypted connections
 * @culprit: on failure gets the address or socket name that it was about
 *
 * All sockets are listening, non-blocking and close-on-exec. Return: 0; -EINVAL when an address is
 * none, -ENOTSUP when a passed socket's name is unknown, -ENOTSOCK when it does not listen for
 * streams, or another negative errno.
 */
int listen_all(struct listeners *listeners, char *const *addresses, size_t n_addresses,
               char culprit[static LISTEN_NAME_MAX]);

/** listen_error() - what an error of listen_all() means; listen_is_config_error() - whether a
 * person has to change a setting, a unit or the command line. */
const char *listen_error(int error);
bool listen_is_config_error(int error);

/** listen_wants_tls() - whether one of them needs a certificate. */
bool listen_wants_tls(const struct listeners *listeners);

/** listen_announce() - tell a person on standard output where @what is served. */
void listen_announce(const struct listeners *listeners, const char *what);

/** listen_backlog() - connections that wait to be accepted, over all TCP listeners; UINT64_MAX:
 * there is none, and of a unix socket nobody can tell. */
uint64_t listen_backlog(const struct listeners *listeners);

/** listen_close() - close them; a unix socket that we made is removed. */
void listen_close(struct listeners *listeners);
