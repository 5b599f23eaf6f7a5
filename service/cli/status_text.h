/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was seen as text for people: a summary, a line for each worker, its requests below it. All
 * of it is printable ASCII: clients cannot speak to the terminal. */
#pragma once

#include <stdio.h>

#include "cli/status_look.h"

/* Requests of a worker that are listed. */
#define STATUS_REQUESTS_MAX 10

/** status_text() - write it; rates are those between the two looks. */
void status_text(FILE *stream, const struct seen *before, const struct seen *now);

/* Its parts, each of whole lines. */
void status_text_summary(FILE *stream, const struct seen *before, const struct seen *now);
void status_text_header(FILE *stream);
void status_text_worker(FILE *stream, const struct seen *before, const struct seen *now,
                        const struct seen_worker *worker);
void status_text_request(FILE *stream, const struct seen *now, const struct flight *flight);
