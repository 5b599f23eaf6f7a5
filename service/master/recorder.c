/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The master's own records outlive it, too. */
#include "master/recorder.h"

#include <unistd.h>

#include "base/clock.h"

/* The master writes a few events a minute; while the journal is stuck they wait here. */
#define LOG_BUFFER_SIZE   ((size_t)256 << 10)
#define LOG_BLOCK_USEC    (100 * USEC_PER_MSEC)
#define LAST_RECORDS_USEC USEC_PER_SEC

int recorder_open(struct recorder *recorder, enum log_target target, int console)
{
        const struct box_layout layout = {.log_size = log_memory_size(LOG_BUFFER_SIZE)};
        struct log_options options = {
                .target = target,
                .console = console,
                .level = 6,
                .buffer_size = LOG_BUFFER_SIZE,
                .block_usec = LOG_BLOCK_USEC,
        };
        struct box_identity *identity;
        int r;

        store_init(&recorder->store);
        r = store_new(&recorder->store, &layout, &recorder->box);
        if (r < 0)
                return r;
        identity = &recorder->box.box->header->identity;
        atomic_store(&identity->pid, getpid());
        atomic_store(&identity->started_usec, now_usec());
        options.memory = recorder->box.box->log;
        return log_open(&recorder->log, &options);
}

void recorder_begin(struct recorder *recorder, sd_event *event, enum log_target target, int console)
{
        recorder->recoveries = (struct recoveries){
                .event = event,
                .log = recorder->log,
                .target = target,
                .console = console,
        };
        recover_inherited(&recorder->recoveries);
}

void recorder_turn(struct recorder *recorder, sd_event *event)
{
        recoveries_ship(&recorder->recoveries);
        ship_records(&recorder->shipment, event, recorder->log);
}

void recorder_stop(struct recorder *recorder)
{
        if (recorder->recoveries.event)
                recoveries_close(&recorder->recoveries, LAST_RECORDS_USEC);
        ship_done(&recorder->shipment);
}

void recorder_close(struct recorder *recorder)
{
        bool kept = recorder->box.kept;

        if (!recorder->box.box)
                return;
        atomic_store(&recorder->box.box->header->identity.state, BOX_ENDED);
        if (log_close(recorder->log, LAST_RECORDS_USEC, kept) || !kept)
                store_end(&recorder->box);
        else
                store_leave(&recorder->box);
}
