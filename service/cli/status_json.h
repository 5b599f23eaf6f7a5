/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was seen as one JSON object (RFC 8259) on one line, for programs; appsrv(8) lists its
 * names. */
#pragma once

#include <stdio.h>

#include "cli/status_look.h"

/** status_json() - write it; rates are those between the two looks. */
void status_json(FILE *stream, const struct seen *before, const struct seen *now);

/** status_json_string() - write a string: well-formed UTF-8 as it is, but for control characters;
 * any other byte as the character of its number, \u0080 to \u00ff. */
void status_json_string(FILE *stream, const char *text);
