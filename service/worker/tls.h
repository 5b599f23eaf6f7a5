/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TLS: certificates, protocol versions and suites, and what is known of an encrypted connection.
 *
 * Its C file is the only one that knows GnuTLS; libmicrohttpd moves the bytes. What is loaded is
 * shared by all workers of a generation and never changes: a reload loads anew.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"

struct tls;

/* What arrived on one connection inside the encryption: what the kernel counts is not that. */
struct tls_meter {
        const struct tls *tls;
        int fd;            /* borrowed */
        bool refused;      /* its certificate was not good enough */
        bool counts;       /* the handshake is over */
        uint16_t overhead; /* of a record, beside what it carries */
        uint16_t record;   /* size of the record that is read now */
        uint16_t missing;  /* bytes of it, or of its header, that have not been read yet */
        uint8_t header[5]; /* of a record */
        bool in_header;
        uint64_t bytes; /* so many arrived */
};

/**
 * tls_new() - load certificates and keys, and read the priorities
 * @ret:      freed with tls_free(), untouched on failure
 * @problems: gets what is wrong with the settings or the files, each where it was written
 *
 * Blocks on the file system. Return: 0; -EINVAL when problems were added, -ENOMEM.
 */
int tls_new(struct tls **ret, const struct config *config, struct problems *problems);

/** tls_free() - forget them. Accepts NULL. */
void tls_free(struct tls *tls);

/** tls_wanted() - whether the configuration has a certificate. */
bool tls_wanted(const struct config *config);

/** tls_findable() - whether the files can be found from here: credentials only by the unit. */
bool tls_findable(const struct config *config);

/**
 * tls_begin() - make a session one of ours, before its handshake
 * @session: a gnutls_session_t
 * @meter:   counts from now on, must outlive the session
 * @fd:      its socket, borrowed
 *
 * Loop thread. Return: 0, or -ENOMEM: the handshake will fail.
 */
int tls_begin(const struct tls *tls, void *session, struct tls_meter *meter, int fd);

/** tls_chooser() - what chooses certificates, a gnutls_certificate_retrieve_function2:
 * libmicrohttpd starts with none other, though each session gets its own by tls_begin(). */
typedef void tls_chooser_function(void);
tls_chooser_function *tls_chooser(void);

/** tls_version() - "TLS1.3", lives for ever. Loop thread. */
const char *tls_version(void *session);

/**
 * tls_subject() - who the client has proved to be: the subject of its certificate (RFC 4514)
 *
 * Loop thread. Return: in @arena; NULL when it showed none, or there is no memory.
 */
const char *tls_subject(const struct tls *tls, void *session, struct arena *arena);
