/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wake-ups for records that wait. What is to be done then is done after every turn anyway. */
#include "master/ship.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define ACCURACY_USEC (10 * USEC_PER_MSEC)

static int on_room(sd_event_source *source, int fd, uint32_t events, void *data)
{
        (void)source;
        (void)fd;
        (void)events;
        (void)data;
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
        (void)source;
        (void)usec;
        (void)data;
        return 0;
}

void ship_records(struct shipment *shipment, sd_event *event, struct log *log)
{
        uint64_t wake;
        int fd, r;

        ship_done(shipment);
        r = log_ship(log);
        fd = log_output_fd(log);
        if (r == -EAGAIN && fd >= 0)
                (void)sd_event_add_io(event, &shipment->room, fd, EPOLLOUT, on_room, NULL);
        wake = log_wake_usec(log);
        if (wake != USEC_NEVER)
                (void)sd_event_add_time(event, &shipment->retry, CLOCK_MONOTONIC, wake,
                                        ACCURACY_USEC, on_retry, NULL);
}

void ship_done(struct shipment *shipment)
{
        shipment->room = sd_event_source_disable_unref(shipment->room);
        shipment->retry = sd_event_source_disable_unref(shipment->retry);
}
