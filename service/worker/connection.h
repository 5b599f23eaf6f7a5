/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections: who is connected, what he is doing, and how long he may take for it.
 *
 * A client that moves a byte now and then does not put the end off. Heads have a deadline; for
 * bodies and responses a client has a credit of time, which what he moves fills up again at the
 * minimum rate, never beyond what it was at first. Knows nothing of libmicrohttpd. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/address_set.h"
#include "board/board.h"
#include "config/config.h"
#include "request/request.h"
#include "worker/address_count.h"
#include "worker/tls.h"

struct transaction;

enum connection_stage {
        CONNECTION_HEAD,    /* a head is on its way, or the first one is waited for */
        CONNECTION_BODY,    /* its body is */
        CONNECTION_WORKING, /* the application has it; how long is not the client's doing */
        CONNECTION_SENDING, /* the response is on its way */
        CONNECTION_IDLE,    /* between two requests */
};

/* What there was to read at a look, and how much had been read by then. */
struct unread_bytes {
        uint64_t there;
        uint64_t taken; /* TCP alone */
};

struct connection {
        struct connection *next;
        struct connection **link; /* what points to this one */
        struct connections *all;
        int fd; /* borrowed */
        enum connection_stage stage;
        uint64_t since;                   /* when the stage began */
        uint64_t deadline;                /* when it is looked at again; USEC_NEVER */
        uint64_t credit;                  /* how much longer it may take, counted from: */
        uint64_t looked;                  /* when it was looked at last */
        uint64_t arrived;                 /* bytes of the body so far */
        uint64_t moved;                   /* bytes that had arrived or were acknowledged then */
        struct unread_bytes unread;       /* that were there then */
        bool counted;                     /* the last one is known */
        struct transaction *transaction;  /* the request that is not over; NULL: none */
        uint64_t received;                /* bytes of complete requests */
        bool served;                      /* had a request before */
        unsigned span;                    /* when it was busy last, see relief.h */
        bool goes_first;                  /* before the others, in libmicrohttpd's next turn */
        bool ends;                        /* with its last request: nothing behind is read */
        bool refused;                     /* its last request was, perhaps before it was read */
        const char *surplus;              /* beyond which limit it is, to be told so; or NULL */
        struct address_count *of_address; /* not limited: NULL */
        bool admin;                       /* to the admin socket: counted by nobody */
        bool trusted;                     /* believed what he says of clients behind him */
        bool encrypted;
        struct tls_meter inside; /* the encryption */
        bool expired;            /* ended by a deadline */
        char peer[REQUEST_PEER_MAX];
        char peer_uid[REQUEST_NUMBER_MAX]; /* of a process on a unix socket; "" else */
        char peer_pid[REQUEST_NUMBER_MAX];
};

/* All of one worker. */
struct connections {
        const struct config *config;
        struct address_set trusted;
        struct address_counts addresses;
        struct board_slot *slot; /* the number of connections is published there */
        struct connection *first;
        unsigned n;
        unsigned n_admin;  /* of them to the admin socket */
        unsigned greeting; /* waited for before they are handed on: see greeting.h */
        unsigned arriving; /* handed to libmicrohttpd, which has not told of them yet */
        uint64_t earliest; /* no deadline is before it */
        uint64_t checked;  /* when all deadlines were looked at */
        bool draining;
};

/** connections_init() - none yet. What is given is borrowed. @seed: random */
void connections_init(struct connections *connections, const struct config *config,
                      struct board_slot *slot, uint64_t seed);

/**
 * connection_new() - a client has connected; his first head is waited for
 * @admin: to the admin socket
 *
 * Return: the connection, ended with connection_free(); NULL when there is no memory.
 */
struct connection *connection_new(struct connections *connections, int fd,
                                  const struct sockaddr *address, bool admin);

/** connection_format_peer() - an address without its port, or "unix". */
void connection_format_peer(const struct sockaddr *address, char text[static REQUEST_PEER_MAX]);

/** connection_free() - the connection is over. */
void connection_free(struct connection *connection);

/** connections_arriving() - so many are on their way; they count, or more than there is room for
 * would be accepted. */
void connections_arriving(struct connections *connections, unsigned n);

/** connections_greeting() - so many have not been handed on yet; they count as well. */
void connections_greeting(struct connections *connections, unsigned n);

/** connection_enter() - begin a stage, and its time. */
void connection_enter(struct connection *connection, enum connection_stage stage);

/** connection_received() - so much more of a body is there. */
void connection_received(struct connection *connection, size_t size);

/** connections_check() - end those whose time is up, and, while draining, those that are idle. */
void connections_check(struct connections *connections, uint64_t now);

/** connections_wake_usec() - when connections_check() may have something to do. */
uint64_t connections_wake_usec(const struct connections *connections);
