/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public log functions of appsrv.h: an application's fields, checked and capped, become one
 * record. Any thread.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/extra.h"
#include "app/kind.h"
#include "base/cleanup.h"
#include "log/events.h"
#include "log/output.h"

#define MESSAGE_ID_SIZE 32

/* Of a header that a client has sent. */
#define NAME_SHOWN_MAX 100

/* Names of the schema that are the application's to set. */
static const char *const schema_names[] = {
        "MESSAGE", "MESSAGE_ID", "CODE_FILE", "CODE_FUNC", "CODE_LINE", "LOGGER", "EXCEPTION",
};

static bool in_schema(const char *name)
{
        for (size_t i = 0; i < sizeof(schema_names) / sizeof(schema_names[0]); i++) {
                if (strcmp(name, schema_names[i]) == 0)
                        return true;
        }
        return false;
}

static size_t value_size(const appsrv_field *field)
{
        return field->len == APPSRV_STRING ? strlen(field->value) : field->len;
}

static bool message_id_valid(const appsrv_field *field)
{
        const char *text = field->value;

        if (value_size(field) != MESSAGE_ID_SIZE)
                return false;
        for (size_t i = 0; i < MESSAGE_ID_SIZE; i++) {
                if (!text[i] || !strchr("0123456789abcdefABCDEF", text[i]))
                        return false;
        }
        return true;
}

/* Of a thread that works for a request without having it. */
static bool names_request(const appsrv_field *field)
{
        return strcmp(field->name, "REQUEST_ID") == 0;
}

static bool field_valid(const appsrv_field *field, bool may_name_request)
{
        if (!field->name || (!field->value && field->len != 0))
                return false;
        if (strcmp(field->name, "MESSAGE_ID") == 0)
                return message_id_valid(field);
        if (may_name_request && names_request(field))
                return true;
        return in_schema(field->name) || record_name_valid(field->name, strlen(field->name));
}

static int check_fields(const appsrv_field *fields, size_t n, bool may_name_request)
{
        bool message = false;

        if (n > APPSRV_FIELDS_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++) {
                if (!field_valid(&fields[i], may_name_request))
                        return -EINVAL;
                message = message || strcmp(fields[i].name, "MESSAGE") == 0;
        }
        return message ? 0 : -EINVAL;
}

/*
 * Add the fields; those whose names are beyond the cap go into @ret_extra, which the caller frees.
 * The journal keeps an index of every name for ever, so an application that makes names up as it
 * goes would slow down everybody's journal.
 */
static int add_fields(struct record *record, struct field_names *names, const appsrv_field *fields,
                      size_t n, struct extra *extra)
{
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++) {
                const appsrv_field *field = &fields[i];
                const char *value = field->len == 0 ? "" : field->value;

                if (in_schema(field->name) || names_request(field) ||
                    field_names_take(names, field->name))
                        record_bytes(record, field->name, value, value_size(field));
                else
                        r = extra_add(extra, field->name, value, value_size(field));
        }
        return r < 0 ? r : extra_finish(extra);
}

static int log_fields(const struct app *app, const struct exchange *exchange, int level,
                      const appsrv_field *fields, size_t n)
{
        _cleanup_(extra_free) struct extra extra = {0};
        struct record record;
        int r;

        app_record(&record, app, exchange, level);
        r = add_fields(&record, &app->host->field_names, fields, n, &extra);
        if (r < 0)
                return r;
        if (extra.text)
                record_bytes(&record, "EXTRA", extra.text, extra.size);
        return log_commit(app->host->log, &record);
}

int appsrv_log_enabled(const appsrv_ctx *ctx, int level)
{
        const struct app *app = (const struct app *)ctx;

        return level >= APPSRV_CRIT && level <= APPSRV_DEBUG && log_enabled(app->host->log, level);
}

int appsrv_logv(appsrv_ctx *ctx, appsrv_req *req, int level, const appsrv_field *fields, size_t n)
{
        int r;

        if (level < APPSRV_CRIT || level > APPSRV_DEBUG)
                return -EINVAL;
        if (!appsrv_log_enabled(ctx, level))
                return 0;
        r = check_fields(fields, n, req == NULL);
        if (r < 0)
                return r;
        return log_fields((const struct app *)ctx, (const struct exchange *)req, level, fields, n);
}

int appsrv_may_log(const char *name)
{
        return in_schema(name) || record_name_valid(name, strlen(name));
}

int appsrv_print(appsrv_ctx *ctx, appsrv_req *req, int stream, const char *text, size_t len)
{
        const struct app *app = (const struct app *)ctx;
        const struct exchange *exchange = (const struct exchange *)req;
        struct record record;

        if (stream != OUTPUT_STDOUT + 1 && stream != OUTPUT_STDERR + 1)
                return -EINVAL;
        output_record(&record, &app->host->subject, (unsigned)stream - 1, app_name(app), -1);
        if (exchange && exchange->request->id[0])
                record_string(&record, "REQUEST_ID", exchange->request->id);
        record_bytes(&record, "MESSAGE", text, len);
        return log_commit(app->host->log, &record);
}

void app_left_out(const struct exchange *exchange, const char *name, size_t size)
{
        struct app *app = exchange->app;
        int shown = size < NAME_SHOWN_MAX ? (int)size : NAME_SHOWN_MAX;
        struct record record;

        if (atomic_exchange(&app->told_left_out, true))
                return;
        record_event(&record, EVENT_HEADER_LEFT_OUT, &app->host->subject);
        record_string(&record, "APP", app_name(app));
        record_string(&record, "REQUEST_ID", exchange->request->id);
        record_bytes(&record, "HEADER", name, (size_t)shown);
        record_format(&record, "MESSAGE",
                      "Application %s is not given header %.*s, whose name has an underscore",
                      app_name(app), shown, name);
        (void)log_commit(app->host->log, &record);
}

void appsrv_left_out(appsrv_req *req, const char *name, size_t len)
{
        app_left_out((const struct exchange *)req, name, len);
}

/* MESSAGE, and the place in the source when there is one. */
static int log_message(const appsrv_place *place, appsrv_ctx *ctx, appsrv_req *req, int level,
                       const char *message, size_t size)
{
        char line[sizeof("4294967295")];
        appsrv_field fields[] = {
                {"MESSAGE", message, size},
                {"CODE_FILE", place ? place->file : "", APPSRV_STRING},
                {"CODE_FUNC", place ? place->function : "", APPSRV_STRING},
                {"CODE_LINE", line, APPSRV_STRING},
        };

        (void)snprintf(line, sizeof(line), "%u", place ? place->line : 0);
        return appsrv_logv(ctx, req, level, fields, place ? sizeof(fields) / sizeof(fields[0]) : 1);
}

__attribute__((format(printf, 5, 0))) static int log_formatted(const appsrv_place *place,
                                                               appsrv_ctx *ctx, appsrv_req *req,
                                                               int level, const char *format,
                                                               va_list arguments)
{
        _cleanup_free_ char *message = NULL;
        int n;

        if (level >= APPSRV_CRIT && level <= APPSRV_DEBUG && !appsrv_log_enabled(ctx, level))
                return 0;
        n = vasprintf(&message, format, arguments);
        if (n < 0) {
                message = NULL; /* undefined by then */
                return -ENOMEM;
        }
        return log_message(place, ctx, req, level, message, (size_t)n);
}

int appsrv_log(appsrv_ctx *ctx, appsrv_req *req, int level, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = log_formatted(NULL, ctx, req, level, format, arguments);
        va_end(arguments);
        return r;
}

int appsrv_log_at(const appsrv_place *place, appsrv_ctx *ctx, appsrv_req *req, int level,
                  const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = log_formatted(place, ctx, req, level, format, arguments);
        va_end(arguments);
        return r;
}
