/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The master's side of the recorder: its own log in its own black box, and the recovery of what the
 * dead left. */
#pragma once

#include "master/recover.h"
#include "master/ship.h"
#include "master/store.h"

struct recorder {
        struct store store;
        struct log *log;
        struct stored_box box; /* the log's */
        struct shipment shipment;
        struct recoveries recoveries;
};

/** recorder_open() - open the master's log; @console: a descriptor, borrowed. Return: 0, or a
 * negative errno. */
int recorder_open(struct recorder *recorder, enum log_target target, int console);

/** recorder_begin() - begin with what a former master left; from now on recorder_turn() is called
 * after each turn of @event. */
void recorder_begin(struct recorder *recorder, sd_event *event, enum log_target target,
                    int console);

/** recorder_turn() - ship what can be shipped. */
void recorder_turn(struct recorder *recorder, sd_event *event);

/** recorder_stop() - the loop has ended; recorder_close() - the last record was written. Both wait
 * at most a second for the journal. */
void recorder_stop(struct recorder *recorder);
void recorder_close(struct recorder *recorder);
