/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of appsrv's life, each with a fixed MESSAGE_ID that the catalog explains; all of them
 * are in events.def. Any thread. */
#pragma once

#include "log/record.h"

enum event {
#define EVENT(symbol, name, id, priority, subject, text) EVENT_##symbol,
#include "log/events.def"
#undef EVENT
        EVENTS_MAX
};

/** event_name() - "worker-died". */
const char *event_name(enum event event);

/** record_event() - start a record of an event: record_init(), MESSAGE_ID=, EVENT= and the
 * subject's fields; MESSAGE is left to the caller. */
void record_event(struct record *record, enum event event, const struct record_subject *subject);
