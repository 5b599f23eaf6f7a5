/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request target taken apart: path decoded and normalised, query, authority of an absolute
 * target. Pure; loop thread.
 */
#pragma once

#include "base/arena.h"
#include "request/request.h"
#include "request/validate.h"

/**
 * target_parse() - split request->target into path, query and host
 *
 * Needs method, target and headers. Percent-escapes of the path are decoded once, then dot segments
 * are removed (RFC 3986 5.2.4); empty segments are kept, the query is left as it is. The host comes
 * from the absolute form, else from the Host header. "*" is accepted for OPTIONS only and gives the
 * path "*".
 * Return: the verdict: 400 for a malformed escape, %00, a fragment, control or non-ASCII bytes, a
 * path that leaves the root, or an absolute form that is not http(s) with a valid authority; 501
 * for CONNECT, whose target is no path; 500 when there is no memory. On refusal path, query and
 * host may be unset.
 */
struct verdict target_parse(struct request *request, struct arena *arena);

/**
 * query_argument() - the first argument of a name in request->query, decoded
 *
 * '+' is a space; a '%' that begins no escape stands for itself.
 * Return: the value, NUL-terminated arena memory that may hold NUL as well, its length in
 * @ret_size; NULL when there is no such argument, or no memory.
 */
const char *query_argument(const struct request *request, struct arena *arena, const char *name,
                           size_t *ret_size);
