/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head of a request judged: is it one that every HTTP party would read the same way, and within
 * our limits?
 *
 * Pure: a request in, a verdict out. Loop thread.
 */
#pragma once

#include "request/request.h"

/* A host name may have 255 bytes (RFC 1035 2.3.4), the port adds six. */
#define AUTHORITY_MAX 261

/* Limits of a head; the settings of the same names. */
struct head_limits {
        size_t request_line;
        size_t request_fields;
        size_t request_field_size;
        uint64_t request_body;
};

struct verdict {
        int status; /* 0: accepted; else the status to answer, and the connection is closed */
        const char
                *reason; /* static text for the access record and the client, NULL when accepted */
};

/* How the body is framed. */
struct framing {
        bool chunked;
        uint64_t content_length; /* 0 when there is none */
        bool waits; /* the client sends it when he is told to go on (RFC 9110, 10.1.1) */
};

/**
 * validate_head() - judge a request's head
 * @request: method, target, version and headers are set
 * @limits:  what is too much
 * @framing: on acceptance, how the body comes; else untouched
 *
 * Return: the verdict. 400: malformed version, method, name or value; Host missing, double or
 * malformed (RFC 9112 3.2); Content-Length double or malformed (RFC 9112 6.3); Transfer-Encoding
 * with Content-Length, in HTTP/1.0, double, or without a single final chunked. 405: TRACE. 413: a
 * body announced too large. 414: request line, 431: headers too long or too many. 417: unknown
 * expectation. 501: CONNECT, a method that is in lower case or overlong, a transfer coding beside
 * chunked. 505: another major version.
 */
struct verdict validate_head(const struct request *request, const struct head_limits *limits,
                             struct framing *framing);

/**
 * authority_valid() - whether bytes are host[:port] as Host and http URIs hold them (RFC
 * 3986 3.2.2).
 */
bool authority_valid(const char *text, size_t size);
