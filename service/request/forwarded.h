/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What trusted proxies say of the client: X-Forwarded-For, -Proto and -Host, and Forwarded (RFC
 * 7239).
 *
 * Pure: a request in, a verdict out. Loop thread.
 */
#pragma once

#include "base/address_set.h"
#include "request/validate.h"

#define FORWARDED_SCHEME_MAX 6 /* "https" */

/* Each is "" when nobody said it. */
struct forwarded {
        char client[REQUEST_PEER_MAX]; /* an address, as request.peer has it */
        char scheme[FORWARDED_SCHEME_MAX];
        char host[AUTHORITY_MAX + 1]; /* authority_valid() */
};

/**
 * forwarded_apply() - read what the proxies between client and peer say
 * @request: its headers are set and validated; the caller has found its peer in @trusted
 * @trusted: proxies that are believed what they add
 * @ret:     on acceptance, what they say; else untouched
 *
 * The client is the rightmost address that is not trusted, the leftmost when all are. A node that
 * hides its address (RFC 7239 6.2 and 6.3) cannot be trusted: then the client is the address to its
 * right, if there is one. What Forwarded says of scheme and host is taken from the hop at which
 * that search ends; the lists of X-Forwarded-Proto and X-Forwarded-Host must have one value only,
 * however often.
 *
 * Return: the verdict. 400: a malformed header, a scheme that is neither http nor https, values
 * that differ, in a list or between X-Forwarded-* and Forwarded, and lists that are too long.
 */
struct verdict forwarded_apply(const struct request *request, const struct address_set *trusted,
                               struct forwarded *ret);
