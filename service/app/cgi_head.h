/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header block that a program prints before the body (RFC 3875, 6). Pure; any thread.
 *
 * Lines end with LF or CR LF, the block with an empty one. Strict: a name is a token directly
 * before its colon, a value has no control byte but TAB, nothing is folded, and what the server
 * acts upon comes once.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "request/request.h"

/* Bytes of the block with its empty line. */
#define CGI_HEAD_MAX ((size_t)16 << 10)

/* Fields of it. */
#define CGI_FIELDS_MAX 100

#define CGI_LENGTH_UNKNOWN UINT64_MAX

struct cgi_head {
        int status;             /* 200 to 599; 0: the program does not say */
        const char *location;   /* NULL: none */
        const char *type;       /* Content-Type; NULL: none */
        uint64_t length;        /* Content-Length, or CGI_LENGTH_UNKNOWN */
        struct header *headers; /* the others, in order */
        size_t n_headers;
};

/** cgi_head_end() - bytes of the block that begins at @text with its empty line; 0: it is not
 * complete. */
size_t cgi_head_end(const char *text, size_t size);

/**
 * cgi_head_parse() - take a block apart
 * @text: @size bytes, as cgi_head_end() found them; changed, and what is in @ret lies there
 * @ret:  headers points to room for CGI_FIELDS_MAX of them
 *
 * Return: NULL, or what is wrong with it: static text. @ret is undefined then.
 */
const char *cgi_head_parse(char *text, size_t size, struct cgi_head *ret);

/** cgi_head_is_local() - whether the answer to a path of this server is wanted instead (RFC 3875,
 * 6.2.2). */
bool cgi_head_is_local(const struct cgi_head *head);

/** cgi_head_status() - what the client gets to see. */
int cgi_head_status(const struct cgi_head *head);
