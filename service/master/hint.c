/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One event each time. */
#include "master/hint.h"

#include <signal.h>

#include "master/report.h"

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        (void)source;
        (void)info;
        report(data, EVENT_SIGNAL_IGNORED, NULL,
               "SIGUSR2 does nothing: restart the service for a new version, which refuses no "
               "connection, reload it for new code");
        return 0;
}

int hint_begin(sd_event *event, struct log *log)
{
        int r = sd_event_add_signal(event, NULL, SIGUSR2, on_signal, log);

        return r < 0 ? r : 0;
}
