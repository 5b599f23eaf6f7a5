/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: a table of fields that is written out once, in journald's native protocol. */
#include "log/record.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* journald drops longer names without a word. */
#define NAME_MAX_SIZE 64

/* Digits of UINT64_MAX. */
#define NUMBER_MAX_SIZE 20

#define CUT_MARK "..."

/* What says who wrote a record, about what and how it ended, must not come from an application. */
static const char *const reserved_names[] = {
        "AGE_USEC",    "APP",         "COREDUMP", "CUT",        "DOCUMENTATION", "DURATION_USEC",
        "EVENT",       "EXIT_CODE",   "EXTRA",    "GENERATION", "INVOCATION_ID", "IN_FLIGHT",
        "LAST_OUTPUT", "OUTCOME",     "PEER_PID", "PEER_UID",   "PRIORITY",      "PROBLEMS",
        "RECORD",      "REMOTE_ADDR", "REPLAYED", "REQUESTS",   "REQUEST_ID",    "RESPONSE_BYTES",
        "SAMPLE",      "SIGNAL",      "STACK",    "STREAM",     "THREAD",        "TID",
        "UNIT",        "USER_UNIT",
};

/* What journald, systemd and appsrv keep for themselves by prefix. */
static const char *const reserved_prefixes[] = {
        "MESSAGE",   "SYSLOG_",  "WORKER_", "HTTP_",           "OBJECT_",
        "COREDUMP_", "LOG_LOST", "LOST",    "USER_INVOCATION",
};

static const char *const kind_names[] = {
        [RECORD_EVENT] = "event",
        [RECORD_ACCESS] = "access",
        [RECORD_APP] = "app",
        [RECORD_OUTPUT] = "output",
};

static bool well_formed(const char *name, size_t size)
{
        if (size == 0 || size > NAME_MAX_SIZE || name[0] < 'A' || name[0] > 'Z')
                return false;
        for (size_t i = 1; i < size; i++)
                if (!((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9') ||
                      name[i] == '_'))
                        return false;
        return true;
}

bool record_name_valid(const char *name, size_t size)
{
        if (!well_formed(name, size))
                return false;
        for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++)
                if (strlen(reserved_names[i]) == size && memcmp(reserved_names[i], name, size) == 0)
                        return false;
        for (size_t i = 0; i < sizeof(reserved_prefixes) / sizeof(reserved_prefixes[0]); i++)
                if (size >= strlen(reserved_prefixes[i]) &&
                    memcmp(reserved_prefixes[i], name, strlen(reserved_prefixes[i])) == 0)
                        return false;
        return true;
}

static void fail(struct record *record, int error)
{
        if (record->error == 0)
                record->error = error;
}

static void add(struct record *record, const char *name, const void *value, size_t size)
{
        if (record->n_fields == RECORD_FIELDS_MAX) {
                fail(record, -E2BIG);
                return;
        }
        record->fields[record->n_fields++] =
                (struct record_field){.name = name, .value = value, .size = size};
}

void record_init(struct record *record, enum record_kind kind, int priority)
{
        record->kind = kind;
        record->priority = priority;
        record->n_fields = 0;
        record->text_used = 0;
        record->error = 0;
        record_string(record, "SYSLOG_IDENTIFIER", "appsrv");
        record_string(record, "RECORD", kind_names[kind]);
        record_number(record, "PRIORITY", (uint64_t)priority);
}

void record_subject(struct record *record, const struct record_subject *subject)
{
        if (subject->worker_pid > 0) {
                record_number(record, "WORKER_PID", (uint64_t)subject->worker_pid);
                /* A template is no worker, but followed by its pid in the same way. */
                if (subject->worker_id > 0)
                        record_number(record, "WORKER_ID", subject->worker_id);
        }
        if (subject->generation > 0)
                record_number(record, "GENERATION", subject->generation);
}

void record_bytes(struct record *record, const char *name, const void *value, size_t size)
{
        if (!well_formed(name, strlen(name)))
                fail(record, -EINVAL);
        else
                add(record, name, value, size);
}

void record_string(struct record *record, const char *name, const char *value)
{
        if (value)
                record_bytes(record, name, value, strlen(value));
}

/* Digit by digit: so an access record, which has seven numbers, is put together in half the time
 * that it takes with printf (measured). */
void record_number(struct record *record, const char *name, uint64_t value)
{
        char digits[NUMBER_MAX_SIZE];
        char *first = digits + sizeof(digits);
        size_t size;

        do {
                *--first = (char)('0' + value % 10);
                value /= 10;
        } while (value > 0);
        size = (size_t)(digits + sizeof(digits) - first);
        if (size > sizeof(record->text) - record->text_used) {
                fail(record, -E2BIG);
                return;
        }
        memcpy(record->text + record->text_used, first, size);
        record_bytes(record, name, record->text + record->text_used, size);
        record->text_used += size;
}

void record_format(struct record *record, const char *name, const char *format, ...)
{
        const size_t limit = sizeof(record->text) - RECORD_NUMBERS_ROOM;
        size_t room = record->text_used < limit ? limit - record->text_used : 0;
        char *text = record->text + record->text_used;
        va_list arguments;
        size_t size;
        int n;

        if (room < sizeof(CUT_MARK)) {
                record_string(record, name, CUT_MARK);
                return;
        }
        va_start(arguments, format);
        n = vsnprintf(text, room, format, arguments);
        va_end(arguments);
        if (n < 0) {
                fail(record, -EINVAL);
                return;
        }
        size = (size_t)n;
        if (size >= room) {
                size = room - 1;
                memcpy(text + size - strlen(CUT_MARK), CUT_MARK, strlen(CUT_MARK));
        }
        record->text_used += size;
        record_bytes(record, name, text, size);
}

static bool needs_length(const struct record_field *field)
{
        return field->size > 0 && memchr(field->value, '\n', field->size);
}

size_t record_encoded_size(const struct record *record)
{
        size_t size = 0;

        for (size_t i = 0; i < record->n_fields; i++) {
                const struct record_field *field = &record->fields[i];

                size += strlen(field->name) + 1 + field->size + 1;
                if (needs_length(field))
                        size += sizeof(uint64_t);
        }
        return size;
}

static char *put(char *to, const void *from, size_t size)
{
        if (size > 0)
                memcpy(to, from, size);
        return to + size;
}

void record_encode(const struct record *record, void *buffer)
{
        char *to = buffer;

        for (size_t i = 0; i < record->n_fields; i++) {
                const struct record_field *field = &record->fields[i];
                uint64_t length = htole64(field->size);

                to = put(to, field->name, strlen(field->name));
                if (needs_length(field)) {
                        *to++ = '\n';
                        to = put(to, &length, sizeof(length));
                } else {
                        *to++ = '=';
                }
                to = put(to, field->value, field->size);
                *to++ = '\n';
        }
}

/* "NAME\n", a length, the value, "\n". @cursor stands on the value's length. */
static int next_binary(const char **cursor, const char *end, struct record_field *ret)
{
        uint64_t size;

        if ((size_t)(end - *cursor) < sizeof(size))
                return -EBADMSG;
        memcpy(&size, *cursor, sizeof(size));
        size = le64toh(size);
        *cursor += sizeof(size);
        if (size >= (size_t)(end - *cursor) || (*cursor)[size] != '\n')
                return -EBADMSG;
        ret->value = *cursor;
        ret->size = (size_t)size;
        *cursor += size + 1;
        return 1;
}

static int next_text(const char **cursor, const char *end, struct record_field *ret)
{
        const char *newline = memchr(*cursor, '\n', (size_t)(end - *cursor));

        if (!newline)
                return -EBADMSG;
        ret->value = *cursor;
        ret->size = (size_t)(newline - *cursor);
        *cursor = newline + 1;
        return 1;
}

int record_next_field(const char **cursor, const char *end, struct record_field *ret,
                      size_t *ret_name_size)
{
        struct record_field field = {.name = *cursor};
        const char *at = *cursor;
        size_t name_size;
        int r;

        if (at == end)
                return 0;
        while (at < end && *at != '=' && *at != '\n')
                at++;
        name_size = (size_t)(at - *cursor);
        if (at == end || !well_formed(*cursor, name_size))
                return -EBADMSG;
        at++;
        r = at[-1] == '\n' ? next_binary(&at, end, &field) : next_text(&at, end, &field);
        if (r < 0)
                return r;
        *ret_name_size = name_size;
        *ret = field;
        *cursor = at;
        return 1;
}

enum record_kind record_encoded_kind(const void *encoded, size_t size)
{
        const char *cursor = encoded;
        struct record_field field;
        size_t name_size;

        while (record_next_field(&cursor, (const char *)encoded + size, &field, &name_size) > 0) {
                if (name_size != strlen("RECORD") || memcmp(field.name, "RECORD", name_size) != 0)
                        continue;
                for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
                        if (strlen(kind_names[i]) == field.size &&
                            memcmp(kind_names[i], field.value, field.size) == 0)
                                return (enum record_kind)i;
        }
        return RECORD_APP;
}
