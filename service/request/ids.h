/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names that a proxy gives a request, so that its records and ours can be told together:
 * X-Request-ID, and the trace of W3C Trace Context. Whether the proxy is believed is for the caller
 * to know. Pure. Any thread.
 */
#pragma once

#include "request/request.h"

/** ids_request_id() - the only X-Request-ID, when it is 1 to 64 of A-Z a-z 0-9 . _ ~ + / = : @ -;
 * else NULL. */
const struct header *ids_request_id(const struct request *request);

/** ids_trace() - the trace-id of the only traceparent, when that is valid: 32 hexadecimal digits
 * that no NUL follows; else NULL. */
const char *ids_trace(const struct request *request);
