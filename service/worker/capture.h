/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that turns what this worker and its applications print into records.
 *
 * A thread of its own, because the loop thread prints, too (constructors, libraries), and must not
 * wait for itself when the pipe is full.
 */
#pragma once

#include "log/output.h"

struct capture;

/**
 * capture_start() - begin
 * @ret:     stopped with capture_stop(); untouched on failure
 * @output:  copied
 * @streams: read ends of the pipes, non-blocking, borrowed
 *
 * Return: 0, or a negative errno.
 */
int capture_start(struct capture **ret, const struct output *output,
                  const int streams[static OUTPUT_STREAMS]);

/** capture_abandon() - in a child after fork(), which does not have the thread: give up the
 * parent's streams. Accepts NULL. */
void capture_abandon(struct capture *capture);

/** capture_stop() - commit all that has been printed so far, end. Accepts NULL. */
void capture_stop(struct capture *capture);
