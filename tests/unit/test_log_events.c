/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of events: what the journal's catalog and every reader rely on. */
#include "log/events.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct row {
        const char *name, *id, *subject, *text;
        int priority;
};

static const struct row rows[] = {
#define EVENT(symbol, name, id, priority, subject, text) {name, id, subject, text, priority},
#include "log/events.def"
#undef EVENT
};

static void test_every_id_is_a_random_128_bit_number_of_its_own(void)
{
        for (size_t i = 0; i < EVENTS_MAX; i++) {
                const char *id = rows[i].id;

                assert(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32);
                assert(id[12] == '4' && strchr("89ab", id[16]));
                for (size_t j = 0; j < i; j++)
                        assert(strcmp(id, rows[j].id) != 0 &&
                               strcmp(rows[i].name, rows[j].name) != 0);
        }
}

static void test_no_event_makes_journald_write_to_disk_at_once(void)
{
        for (size_t i = 0; i < EVENTS_MAX; i++)
                assert(rows[i].priority >= 3 && rows[i].priority <= 6);
}

/* "@FIELD@", as often as it occurs. */
static void expect_fields_closed(const char *text)
{
        for (const char *at = text; (at = strchr(at, '@')); at++) {
                const char *first = at + 1;

                at = strchr(first, '@');
                assert(at && at > first);
                for (const char *c = first; c < at; c++)
                        assert(isupper((unsigned char)*c) || *c == '_');
        }
}

static void test_every_event_is_explained_in_lines_that_a_terminal_shows(void)
{
        for (size_t i = 0; i < EVENTS_MAX; i++) {
                assert(rows[i].subject[0] && rows[i].text[0]);
                expect_fields_closed(rows[i].subject);
                expect_fields_closed(rows[i].text);
                for (const char *line = rows[i].text; line; line = strchr(line, '\n')) {
                        line += *line == '\n';
                        assert(strcspn(line, "\n") <= 120);
                }
        }
}

static bool has(const struct record *record, const char *name, const char *value)
{
        for (size_t i = 0; i < record->n_fields; i++)
                if (strcmp(record->fields[i].name, name) == 0)
                        return record->fields[i].size == strlen(value) &&
                               memcmp(record->fields[i].value, value, strlen(value)) == 0;
        return false;
}

static void test_record_event_begins_a_record_of_the_event(void)
{
        const struct record_subject worker = {.worker_pid = 5, .worker_id = 1, .generation = 2};
        struct record record;

        record_event(&record, EVENT_WORKER_DIED, &worker);
        assert(record.error == 0 && record.kind == RECORD_EVENT && record.priority == 3);
        assert(has(&record, "EVENT", "worker-died") && has(&record, "RECORD", "event"));
        assert(has(&record, "MESSAGE_ID", rows[EVENT_WORKER_DIED].id));
        assert(has(&record, "WORKER_PID", "5") && !has(&record, "MESSAGE", ""));
        assert(strcmp(event_name(EVENT_LOG_LOST), "log-lost") == 0);
}

int main(void)
{
        test_every_id_is_a_random_128_bit_number_of_its_own();
        test_no_event_makes_journald_write_to_disk_at_once();
        test_every_event_is_explained_in_lines_that_a_terminal_shows();
        test_record_event_begins_a_record_of_the_event();
        return 0;
}
