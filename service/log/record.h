/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One record: the fields of one journal entry, put together by one thread and encoded once.
 *
 * A record refers to the values it is given and does not copy them (numbers and formatted text
 * excepted, which live in the record itself), so the values must outlive the encoding. No
 * allocation, no I/O. Any thread, one record a thread.
 *
 * The encoding is journald's native protocol: "NAME=value\n", or, when the value holds a newline,
 * "NAME\n", its length as 64-bit little-endian, the value, "\n". So no byte of a value can end its
 * field or start another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More fields than any record of ours has (about 20) plus those that an application may add to one
 * record (32). */
#define RECORD_FIELDS_MAX 64

/* Room for formatted text within a record: MESSAGE and numbers. The last part is kept for numbers,
 * so that a long text does not take the place of those that follow it. */
#define RECORD_TEXT_MAX     2048
#define RECORD_NUMBERS_ROOM 512

/* The largest record that is taken, encoded: well below journald 257's 32 MiB limit for
 * unprivileged senders. */
#define RECORD_SIZE_MAX ((size_t)1 << 20)

enum record_kind {
        RECORD_EVENT,
        RECORD_ACCESS,
        RECORD_APP,
        RECORD_OUTPUT,
};

/* Who a record is about: the worker that writes it, or the one that the master writes about. */
struct record_subject {
        pid_t worker_pid; /* 0: no worker, the fields of a worker are left out */
        unsigned worker_id;
        unsigned generation; /* 0: left out */
};

struct record_field {
        const char *name; /* [A-Z][A-Z0-9_]{0,63} */
        const void *value;
        size_t size;
};

struct record {
        enum record_kind kind;
        int priority; /* 0 (emerg) to 7 (debug) */
        size_t n_fields;
        struct record_field fields[RECORD_FIELDS_MAX];
        size_t text_used;
        int error; /* first error of any call below; record_encode() and log_commit() return it */
        char text[RECORD_TEXT_MAX];
};

/** record_init() - start a record: sets RECORD=, PRIORITY= and SYSLOG_IDENTIFIER=. */
void record_init(struct record *record, enum record_kind kind, int priority);

/** record_subject() - add WORKER_PID=, WORKER_ID= and GENERATION=, as far as they are known. */
void record_subject(struct record *record, const struct record_subject *subject);

/* Add one field. A name that is not [A-Z][A-Z0-9_]{0,63} or one field too many sets record->error
 * to -EINVAL or -E2BIG. */
void record_bytes(struct record *record, const char *name, const void *value, size_t size);
void record_string(struct record *record, const char *name,
                   const char *value); /* NULL: the field is left out */
void record_number(struct record *record, const char *name, uint64_t value);
void record_format(struct record *record, const char *name, const char *format, ...) __attribute__((
        format(printf, 3, 4))); /* cut at the room left in the record, marked by "..." at its end */

/**
 * record_name_valid() - whether an application may use a field name of its own: well-formed and
 * none that appsrv, journald or systemd owns
 *
 * Allowed are the names that journald documents for everybody (CODE_FILE, CODE_LINE, CODE_FUNC,
 * ERRNO), LOGGER, EXCEPTION and TRACE_ID. MESSAGE and MESSAGE_ID are not: who lets an application
 * set them (its public log function) does so by itself.
 */
bool record_name_valid(const char *name, size_t size);

/** record_encoded_kind() - the kind of an encoded record; RECORD_APP when it does not say. */
enum record_kind record_encoded_kind(const void *encoded, size_t size);

/** record_encoded_size() - bytes that record_encode() writes. */
size_t record_encoded_size(const struct record *record);

/** record_encode() - write the record in the native protocol to @buffer of record_encoded_size()
 * bytes. */
void record_encode(const struct record *record, void *buffer);

/**
 * record_next_field() - step through an encoded record
 * @cursor: where to read; moved behind the field
 * @end:    end of the record
 * @ret:    the field; its name is not NUL-terminated, its length is in @ret_name_size
 *
 * Return: 1 when there is a field, 0 at the end, -EBADMSG when the bytes are no encoded record.
 */
int record_next_field(const char **cursor, const char *end, struct record_field *ret,
                      size_t *ret_name_size);
