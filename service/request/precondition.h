/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conditional requests (RFC 9110 13): whether the client's conditions hold for what is there. Pure;
 * any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

/* What the conditions are compared with: that of a representation that exists. */
struct validators {
        const char *etag; /* strong, with its quotes */
        int64_t last_modified;
        int64_t now;
};

/**
 * precondition_status() - judge If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since
 * in the order of RFC 9110 13.2.2
 *
 * A list of entity tags ends where it is malformed; a malformed date is no condition.
 *
 * Return: 0 when the request goes on, else the status of its response: 304 or 412.
 */
int precondition_status(const struct request *request, const struct validators *validators);

/** precondition_range() - whether If-Range, if there is one, lets Range be honoured. */
bool precondition_range(const struct request *request, const struct validators *validators);
