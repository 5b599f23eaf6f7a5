/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The number of workers of the generation that serves, by its load and by signals: scale.h decides,
 * this looks, tells and has it done. */
#pragma once

#include <systemd/sd-event.h>

#include "log/log.h"
#include "master/generation.h"

struct scaling {
        struct generation *const *serving; /* the one that serves; NULL: none does */
        struct log *log;
};

/** scaling_begin() - look at the load and take SIGTTIN and SIGTTOU from now on; all is borrowed.
 * Return: 0, or a negative errno. */
int scaling_begin(struct scaling *scaling, sd_event *event, struct generation *const *serving,
                  struct log *log);
