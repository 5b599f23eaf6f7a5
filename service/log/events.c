/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of events, out of events.def. */
#include "log/events.h"

struct event_row {
        const char *name;
        const char *id;
        int priority;
};

static const struct event_row events[EVENTS_MAX] = {
#define EVENT(symbol, name, id, priority, subject, text) [EVENT_##symbol] = {name, id, priority},
#include "log/events.def"
#undef EVENT
};

const char *event_name(enum event event)
{
        return events[event].name;
}

void record_event(struct record *record, enum event event, const struct record_subject *subject)
{
        record_init(record, RECORD_EVENT, events[event].priority);
        record_string(record, "EVENT", events[event].name);
        record_string(record, "MESSAGE_ID", events[event].id);
        record_subject(record, subject);
}
