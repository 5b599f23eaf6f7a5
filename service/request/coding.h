/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which content codings a client takes (RFC 9110 12.5.3). Pure; any thread. */
#pragma once

#include "request/request.h"

/**
 * coding_quality() - how much a client wants a coding: the weight that Accept-Encoding gives it, or
 * that of "*" when it is not named
 * @coding: "gzip", which is "x-gzip" as well, "br", "identity"
 *
 * Return: 0 when it is refused, not named at all or its weight is malformed, up to 1000.
 */
unsigned coding_quality(const struct request *request, const char *coding);
