/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What worker and template process have in common: the recorder in its black box, and what
 * applications are told of the process. */
#pragma once

#include "app/app.h"
#include "worker/capture.h"
#include "worker/worker.h"

/* How long the last records may take to reach the journal. */
#define LAST_RECORDS_USEC (500 * USEC_PER_MSEC)

/**
 * process_begin() - before applications are loaded: limits, signals, crash, log, output, stacks
 * @host:        gets all that it has
 * @ret_capture: stopped with capture_stop()
 *
 * Nothing is printed past the log from then on. Return: the descriptor of signals_take(), or a
 * negative errno.
 */
int process_begin(struct app_host *host, const struct worker_options *options,
                  struct capture **ret_capture);

/** process_has_heir() - whether somebody will adopt the log: what the journal has not read by the
 * end is the master's, or that of the next one. */
bool process_has_heir(const struct worker_options *options);
