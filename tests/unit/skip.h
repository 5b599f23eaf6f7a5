/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program could not try here: it ends as skipped then, with the reason as its last line. The
 * rest of it has passed. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define EXIT_SKIPPED 77

static const char *not_tried; /* why; NULL: all was */

/* Return: what main() returns at its end. */
static inline int ending(void)
{
        if (!not_tried)
                return EXIT_SUCCESS;
        (void)puts(not_tried);
        return EXIT_SKIPPED;
}
