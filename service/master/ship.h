/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The master's records on their way out: shipped after every turn of the loop, waited for while the
 * sink takes no more. */
#pragma once

#include <systemd/sd-event.h>

#include "log/log.h"

/* What wakes the loop up while records wait. All zero: nothing. */
struct shipment {
        sd_event_source *room;  /* the sink takes records again */
        sd_event_source *retry; /* for what cannot be watched: a sink that is not there, or records
                                   that are sent and not read yet */
};

/** ship_records() - ship all that the sink takes now; while some wait, @event wakes up for them. */
void ship_records(struct shipment *shipment, sd_event *event, struct log *log);

/** ship_done() - wake up no more. */
void ship_done(struct shipment *shipment);
