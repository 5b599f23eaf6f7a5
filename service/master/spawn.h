/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From one process to two: everything between fork() and the worker's own life. */
#pragma once

#include <sys/types.h>

#include "log/log.h"
#include "worker/worker.h"

/** spawn_block_signals() - block, in the master, the signals that it takes through its loop; a
 * worker is born with all of them unblocked. Return: 0, or a negative errno. */
int spawn_block_signals(void);

/**
 * spawn_worker() - fork a worker and let it live
 * @options:    what it inherits
 * @prints:     write ends of the pipes that become its standard output and error
 * @master_log: the master's log, which the child gives up
 *
 * Returns in the master only: the worker's pid, or a negative errno.
 */
pid_t spawn_worker(const struct worker_options *options, const int prints[static 2],
                   struct log *master_log);

/** spawn_template() - the same for the template process of a generation. @orders: its end of
 * order_socket(). */
pid_t spawn_template(const struct worker_options *options, const int prints[static 2],
                     struct log *master_log, int orders);
