/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts written so that they mean themselves within an URI or within HTML. Pure; any thread. */
#pragma once

#include <stdio.h>

/**
 * escape_path() - write a path for an URI: all but letters, digits, "-._~" and "/" as %NN (RFC 3986
 * 2.3)
 *
 * A name alone cannot be taken for an URI with a scheme, as ':' is escaped too.
 */
void escape_path(FILE *stream, const char *text);

/** escape_html() - write a text for HTML, within an element or within quotes. */
void escape_html(FILE *stream, const char *text);
