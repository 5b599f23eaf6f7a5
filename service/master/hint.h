/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to do instead, for who sends a signal that means something to other servers. */
#pragma once

#include <systemd/sd-event.h>

#include "log/log.h"

/** hint_begin() - from now on SIGUSR2, which must be blocked, is answered so. @log: borrowed.
 * Return: 0, or a negative errno. */
int hint_begin(sd_event *event, struct log *log);
