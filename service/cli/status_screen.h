/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was seen as one screen of a terminal, to be looked at while it changes: the summary, a line
 * for each worker, and below them the oldest requests of all, as many as fit. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "cli/status_look.h"

struct screen {
        unsigned rows;
        unsigned columns;
        bool colours;
};

/** status_screen() - write it over what the terminal shows; @first: nothing of ours is there yet.
 * Rates are those between the two looks. */
void status_screen(FILE *stream, const struct screen *screen, bool first, const struct seen *before,
                   const struct seen *now);
