/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The access record, field by field as access.def lists them. Loop thread; the master for workers
 * that died.
 */
#include "request/access.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

/* Room for what follows the target in MESSAGE: numbers, address, reason. */
#define TAIL_MAX 512
/* MESSAGE without memory for a longer one. */
#define SHORT_MESSAGE_MAX 1024
#define CUT_MARK          "..."
/* The longest spelling of one byte, "\xNN". */
#define ESCAPED_BYTE_MAX 4

enum access_field {
#define ACCESS_FIELD(name, doc) FIELD_##name,
#include "request/access.def"
#undef ACCESS_FIELD
        FIELDS_END
};

static const char *const field_names[] = {
#define ACCESS_FIELD(name, doc) [FIELD_##name] = #name,
#include "request/access.def"
#undef ACCESS_FIELD
};

const char *outcome_name(enum outcome outcome)
{
        static const char *const names[] = {
                [OUTCOME_OK] = "ok",
                [OUTCOME_CLIENT_ABORT] = "client-abort",
                [OUTCOME_TIMEOUT] = "timeout",
                [OUTCOME_WORKER_DIED] = "worker-died",
                [OUTCOME_SHUTDOWN] = "shutdown",
                [OUTCOME_REJECTED] = "rejected",
                [OUTCOME_APP_FAILED] = "app-failed",
        };

        return names[outcome];
}

/* A line that is written into memory of fixed size and stays one line. */
struct line {
        char *text;
        size_t size;
        size_t capacity;
        bool cut;
};

static void line_escape(struct line *line, const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                unsigned char byte = (unsigned char)text[i];
                char escaped[ESCAPED_BYTE_MAX + 1] = {(char)byte};

                if (byte == '\\')
                        memcpy(escaped, "\\\\", 3);
                else if (byte < ' ' || byte > '~')
                        (void)snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
                if (line->size + strlen(escaped) > line->capacity) {
                        line->cut = true;
                        return;
                }
                memcpy(line->text + line->size, escaped, strlen(escaped));
                line->size += strlen(escaped);
        }
}

static size_t unescaped_size(const struct request *request)
{
        return (request->method ? strlen(request->method) : 1) +
               (request->target ? request->target_size : 1);
}

/* Everything behind the target. */
static size_t write_tail(char text[static TAIL_MAX], const struct access *access)
{
        const struct request *request = access->request;
        const char *reason = access->reason;
        char status[12] = "-";
        int n;

        if (access->status != 0)
                (void)snprintf(status, sizeof(status), "%d", access->status);
        n = snprintf(text, TAIL_MAX, " %s %s %" PRIu64 "B %" PRIu64 "us %s%s%s%s",
                     request->version ? request->version : "-", status, access->response_bytes,
                     access->duration_usec, request->peer[0] ? request->peer : "-",
                     reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
        return n < TAIL_MAX ? (size_t)n : TAIL_MAX - 1;
}

/*
 * The line, in memory of the arena that holds it whole; else cut in the record itself. A target may
 * be 16 KiB, more than a record has room for, and it is told in full: it is what somebody who looks
 * at an attack wants to see.
 */
static void add_message(struct record *record, const char *name, const struct access *access,
                        struct arena *arena)
{
        const struct request *request = access->request;
        size_t wanted = unescaped_size(request) * ESCAPED_BYTE_MAX + 1;
        char tail[TAIL_MAX], cut[SHORT_MESSAGE_MAX];
        size_t tail_size = write_tail(tail, access);
        struct line line = {.capacity = wanted};

        line.text = arena_alloc(arena, wanted + tail_size);
        if (!line.text)
                line = (struct line){.text = cut,
                                     .capacity = sizeof(cut) - tail_size - sizeof(CUT_MARK)};

        line_escape(&line, request->method ? request->method : "-",
                    request->method ? strlen(request->method) : 1);
        line_escape(&line, " ", 1);
        line_escape(&line, request->target ? request->target : "-",
                    request->target ? request->target_size : 1);
        memcpy(line.text + line.size, tail, tail_size);

        if (line.text != cut)
                record_bytes(record, name, line.text, line.size + tail_size);
        else
                record_format(record, name, "%.*s%s%.*s", (int)line.size, cut,
                              line.cut ? CUT_MARK : "", (int)tail_size, tail);
}

static void add_header(struct record *record, const char *name, const struct request *request,
                       const char *header_name)
{
        const struct header *header = request_header(request, header_name);

        if (header)
                record_bytes(record, name, header->value, header->value_size);
}

/* Fields that are recorded on demand. */
static void add_extra_field(struct record *record, enum access_field field,
                            const struct access *access)
{
        const struct request *request = access->request;
        const char *name = field_names[field];
        unsigned wanted = access->extra_fields;

        if (field == FIELD_USER_AGENT && (wanted & EXTRA_FIELD_USER_AGENT))
                add_header(record, name, request, "User-Agent");
        else if (field == FIELD_REFERER && (wanted & EXTRA_FIELD_REFERER))
                add_header(record, name, request, "Referer");
        else if (field == FIELD_HTTP_HOST && (wanted & EXTRA_FIELD_HTTP_HOST))
                record_string(record, name, request->host);
        else if (field == FIELD_TRACE_ID && (wanted & EXTRA_FIELD_TRACE_ID) && request->trace)
                record_bytes(record, name, request->trace, REQUEST_TRACE_SIZE);
}

static void add_program_field(struct record *record, enum access_field field,
                              const struct program_end *program)
{
        const char *name = field_names[field];

        if (field == FIELD_CGI_PID && program->pid > 0)
                record_number(record, name, (uint64_t)program->pid);
        else if (field == FIELD_EXIT_CODE)
                program_add_exit_code(record, name, program);
        else if (field == FIELD_SIGNAL)
                program_add_signal(record, name, program);
}

/*
 * One case a row of access.def, without a default: the compiler finds a row that is not filled in
 * and a case without a row.
 */
static void add_field(struct record *record, enum access_field field, const struct access *access,
                      struct arena *arena)
{
        const struct request *request = access->request;
        const char *name = field_names[field];

        switch (field) {
        case FIELD_MESSAGE:
                add_message(record, name, access, arena);
                break;
        case FIELD_APP:
                record_string(record, name, access->app);
                break;
        case FIELD_HTTP_METHOD:
                record_string(record, name, request->method);
                break;
        case FIELD_HTTP_STATUS:
                if (access->status != 0)
                        record_number(record, name, (uint64_t)access->status);
                break;
        case FIELD_DURATION_USEC:
                record_number(record, name, access->duration_usec);
                break;
        case FIELD_RESPONSE_BYTES:
                record_number(record, name, access->response_bytes);
                break;
        case FIELD_REMOTE_ADDR:
                record_string(record, name, request->peer[0] ? request->peer : NULL);
                break;
        case FIELD_PEER_UID:
                record_string(record, name, request->peer_uid[0] ? request->peer_uid : NULL);
                break;
        case FIELD_PEER_PID:
                record_string(record, name, request->peer_pid[0] ? request->peer_pid : NULL);
                break;
        case FIELD_REQUEST_ID:
                record_string(record, name, request->id[0] ? request->id : NULL);
                break;
        case FIELD_OUTCOME:
                record_string(record, name, outcome_name(access->outcome));
                break;
        case FIELD_CGI_PID:
        case FIELD_EXIT_CODE:
        case FIELD_SIGNAL:
                add_program_field(record, field, &access->program);
                break;
        case FIELD_SAMPLE:
                if (access->sample > 1)
                        record_number(record, name, access->sample);
                break;
        case FIELD_USER_AGENT:
        case FIELD_REFERER:
        case FIELD_HTTP_HOST:
        case FIELD_TRACE_ID:
                add_extra_field(record, field, access);
                break;
        case FIELDS_END:
                break;
        }
}

/*
 * syslog's levels: what the server or its shutdown cost is an error, what the client did is a
 * notice.
 */
static int priority_of(const struct access *access)
{
        enum { ERROR = 3, NOTICE = 5, INFO = 6 };

        if (access->outcome == OUTCOME_WORKER_DIED || access->outcome == OUTCOME_SHUTDOWN ||
            access->outcome == OUTCOME_APP_FAILED)
                return ERROR;
        if (access->status >= 500)
                return ERROR;
        return access->status >= 400 ? NOTICE : INFO;
}

/* What died or was cut with its worker is recorded whatever the setting: nobody else can tell. */
bool access_wanted(uint32_t policy, struct access *access, uint64_t *well)
{
        bool lost = access->outcome == OUTCOME_WORKER_DIED || access->outcome == OUTCOME_SHUTDOWN;

        if (lost || policy == ACCESS_OFF)
                return lost;
        if (access->outcome != OUTCOME_OK || access->status >= 400)
                return true;
        if (policy == ACCESS_ERRORS)
                return false;
        access->sample = policy;
        return (*well)++ % policy == 0;
}

void access_record(struct record *record, const struct access *access,
                   const struct record_subject *subject, struct arena *arena)
{
        record_init(record, RECORD_ACCESS, priority_of(access));
        record_subject(record, subject);
        for (enum access_field field = 0; field < FIELDS_END; field++)
                add_field(record, field, access, arena);
}
