/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Well-formed UTF-8 told from other bytes. Pure, any thread. */
#pragma once

#include <stddef.h>

/** utf8_size() - bytes of the well-formed sequence (RFC 3629, 4) at the start of @text, of which
 * there are @size, at least one; 0: there is none. */
size_t utf8_size(const char *text, size_t size);
