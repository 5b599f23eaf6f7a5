/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A response as data: status, headers and body, put together by an application thread or by the
 * worker itself.
 *
 * All memory is the request's arena. Pure: no I/O, though it may own the file that is its body.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "request/request.h"

#define RESPONSE_HEADERS_MAX 64
/*
 * Head of a response that libmicrohttpd's 32 KiB pool surely holds beside the head of the request
 * (16 KiB of each at most).
 */
#define RESPONSE_HEAD_MAX 8192

/* The methods of HTTP itself; an application may know others. */
#define RESPONSE_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

#define RESPONSE_SIZE_UNKNOWN SIZE_MAX

struct response {
        int status; /* 0: not answered */
        struct header *headers;
        size_t n_headers;
        size_t head_size;     /* bytes that the headers take on the wire */
        const char *body;     /* arena memory or static text */
        size_t body_size;     /* when streamed, may be RESPONSE_SIZE_UNKNOWN */
        bool streamed;        /* the body is not here, it comes in pieces */
        bool has_file;        /* the body is body_size bytes of a file instead */
        int file;             /* owned, when has_file */
        uint64_t file_offset; /* where the body begins */
        bool close;           /* the connection ends with this response */
};

/**
 * response_set_header() - set a header, replacing those of the same name
 * response_add_header() - add a header beside those of the same name
 *
 * Return: 0; -EINVAL when the name is no token, the value holds CR, LF, NUL or another control byte
 * but TAB, or the name is the server's own (Connection, Keep-Alive, Transfer-Encoding,
 * Content-Length, Date, Server, Upgrade, Trailer, TE, X-Request-ID); -E2BIG beyond
 * RESPONSE_HEADERS_MAX or RESPONSE_HEAD_MAX, -ENOMEM.
 */
int response_set_header(struct response *response, struct arena *arena, const char *name,
                        const char *value);
int response_add_header(struct response *response, struct arena *arena, const char *name,
                        const char *value);

/** response_set_body() - copy the body. Return: 0, or -ENOMEM. */
int response_set_body(struct response *response, struct arena *arena, const void *body,
                      size_t size);

/**
 * response_set_file() - let bytes of a file be the body
 * @fd: a regular file; the response's from now on, closed on failure as well
 *
 * Return: 0; -EFBIG when @size is more than memory has addresses, as body_size is.
 */
int response_set_file(struct response *response, int fd, uint64_t offset, uint64_t size);

/** response_take_file() - the file that is the body, which the caller then owns; -1: none. */
int response_take_file(struct response *response);

/** response_drop_file() - close the file that is the body, if there is one. */
void response_drop_file(struct response *response);

/**
 * response_error() - make the response of a refusal or failure: discards what there was, a short
 * text body "404 Not Found\n"
 * @reason: one more sentence for the client, may be NULL
 */
void response_error(struct response *response, struct arena *arena, int status, const char *reason);

/** status_phrase() - "Not Found"; "Unknown" for a status that no RFC names. */
const char *status_phrase(int status);
