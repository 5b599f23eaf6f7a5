/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request as data: what the client sent, split and decoded, and what appsrv knows about it.
 *
 * Filled by the worker's loop thread, then read by one application thread, then by the loop thread
 * again. Pure: no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define REQUEST_ID_MAX 65 /* ours has 32 hex digits, a proxy's up to 64 characters */

/* A user or a process as text. */
#define REQUEST_NUMBER_MAX 12

/* Bytes of a trace-id. */
#define REQUEST_TRACE_SIZE 32

#define REQUEST_PEER_MAX 64 /* an address without its port, or "unix" */

/* A name and its value: NUL-terminated, lengths besides. */
struct header {
        const char *name;
        const char *value;
        size_t name_size;
        size_t value_size;
};

struct request {
        const char *method;
        const char *target; /* as sent, with the query */
        size_t target_size;
        const char *version; /* "HTTP/1.1" */
        char *path;          /* decoded and normalised; set by target_parse() */
        size_t path_size;
        const char *query; /* behind the '?', undecoded; "" when there is none */
        size_t query_size;
        const char *host;   /* the authority: of an absolute target, else of Host; "" when HTTP/1.0
                               sent none */
        const char *scheme; /* "http" */
        const char *tls_version; /* "TLS1.3"; NULL: not encrypted */
        const char *tls_subject; /* of the client's certificate; NULL: it showed none */
        struct header *headers;
        size_t n_headers;
        const char *body; /* whole; valid as long as the request */
        size_t body_size;
        size_t head_size;  /* bytes of the head */
        const char *trace; /* the trace-id that a trusted proxy sent, without a NUL; or NULL */
        char id[REQUEST_ID_MAX];
        char peer[REQUEST_PEER_MAX];
        char peer_uid[REQUEST_NUMBER_MAX]; /* of the process at a unix socket; "" else */
        char peer_pid[REQUEST_NUMBER_MAX];
        uint64_t started_usec; /* CLOCK_MONOTONIC when the request line was complete */
};

/**
 * request_header() - the first header of a name, compared without case; NULL when there is none.
 */
const struct header *request_header(const struct request *request, const char *name);

/** request_only_header() - the header of a name that is there exactly once; NULL otherwise. */
const struct header *request_only_header(const struct request *request, const char *name);

/**
 * header_is() - whether a header has a name, compared without case (ASCII, whatever the locale).
 */
bool header_is(const struct header *header, const char *name);

/**
 * token_valid() - whether bytes are a token (RFC 9110 5.6.2), as names of headers and methods are.
 */
bool token_valid(const char *text, size_t size);

/**
 * field_value_valid() - whether bytes may be a header's value: no control bytes but TAB (RFC
 * 9110 5.5).
 */
bool field_value_valid(const char *text, size_t size);

/**
 * value_ends() - whether nothing but blanks is left of a header's value: they are no part of it
 * (RFC 9110 5.5), but not every version of libmicrohttpd takes them away
 */
bool value_ends(const char *text);

/** equal_ignoring_case() - whether @size bytes are the text @other, ASCII letters without case. */
bool equal_ignoring_case(const char *text, size_t size, const char *other);
