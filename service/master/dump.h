/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole state in the journal, at SIGUSR1: one event for the service and one for each worker
 * process, with the figures that `appsrv status --json` has.
 *
 * Rates are those of the second that follows the signal.
 */
#pragma once

#include <systemd/sd-event.h>

#include "master/status.h"

struct log;
struct window_scene;

struct dump {
        const struct window_scene *scene;
        struct log *log;
        sd_event *event;
        sd_event_source *second; /* runs while one is being made */
        struct status_sample before;
};

/** dump_open() - from now on SIGUSR1, which must be blocked, makes one of @scene, which is
 * borrowed. Return: 0, or a negative errno. */
int dump_open(struct dump *dump, const struct window_scene *scene, struct log *log,
              sd_event *event);

/** dump_close() - no more; also one that is all zero. */
void dump_close(struct dump *dump);
