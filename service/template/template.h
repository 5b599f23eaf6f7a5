/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The template process of a generation ([server] preload): it loads the applications once, and
 * forks the workers from itself, which share the memory of what was loaded.
 *
 * It serves nobody and knows no request. Its workers are the master's children, not its own: they
 * outlive it, and the master hears of their end from the kernel.
 */
#pragma once

#include "worker/worker.h"

/**
 * template_run() - live a template's whole life in the calling process
 * @options: as of a worker; subject.worker_id is 0
 * @orders:  its end of order_socket()
 *
 * Expects the same as worker_run(), and that the master is a subreaper (PR_SET_CHILD_SUBREAPER).
 * Return: an exit_code for _exit(); also in a worker that it forked.
 */
int template_run(const struct worker_options *options, int orders);
