/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function for each kind of object. */
#include "cli/status_json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "master/supervise.h"

/* -- values -- */

/* C0, DEL and C1: U+0080 to U+009f are two bytes. */
static bool is_control(const char *text, size_t size)
{
        unsigned char first = (unsigned char)text[0];

        return first < 0x20 || first == 0x7f ||
               (size == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

/* Return: bytes of @text that it took. */
static size_t put_character(FILE *stream, const char *text, size_t left)
{
        size_t size = utf8_size(text, left);

        if (size == 0 || is_control(text, size)) {
                (void)fprintf(stream, "\\u%04x", (unsigned char)text[size == 2]);
                return size > 0 ? size : 1;
        }
        if (*text == '"' || *text == '\\')
                (void)fputc('\\', stream);
        (void)fwrite(text, 1, size, stream);
        return size;
}

void status_json_string(FILE *stream, const char *text)
{
        size_t left = strlen(text);

        (void)fputc('"', stream);
        while (left > 0) {
                size_t size = put_character(stream, text, left);

                text += size;
                left -= size;
        }
        (void)fputc('"', stream);
}

/* All but the first one of an object are behind a comma, which the name of a member brings along.
 */
static void put_number(FILE *stream, const char *name, uint64_t number)
{
        (void)fprintf(stream, "%s%" PRIu64, name, number);
}

static void put_string(FILE *stream, const char *name, const char *text)
{
        (void)fputs(name, stream);
        status_json_string(stream, text);
}

/* -- objects -- */

static void put_log(FILE *stream, const struct log_counters *log)
{
        put_number(stream, ",\"log\":{\"shipped\":", log->shipped);
        put_number(stream, ",\"lost\":", log->lost);
        put_number(stream, ",\"used_bytes\":", log->used);
        put_number(stream, ",\"capacity_bytes\":", log->capacity);
        (void)fputc('}', stream);
}

static void put_request(FILE *stream, const struct seen *now, const struct flight *flight)
{
        put_string(stream, "{\"request_id\":", flight->id);
        put_string(stream, ",\"state\":", flight_state_name(atomic_load(&flight->state)));
        put_number(stream, ",\"age_usec\":", seen_age(now, flight->started_usec));
        put_string(stream, ",\"method\":", flight->method);
        put_string(stream, ",\"target\":", flight->target);
        put_number(stream, ",\"target_bytes\":", flight->target_size);
        put_string(stream, ",\"version\":", flight->version);
        put_string(stream, ",\"peer\":", flight->peer);
        put_string(stream, ",\"app\":", flight->app);
        put_number(stream, ",\"status\":", atomic_load(&flight->status));
        put_number(stream, ",\"response_bytes\":", atomic_load(&flight->response_bytes));
        put_number(stream, ",\"thread\":", (uint32_t)atomic_load(&flight->thread));
        (void)fputc('}', stream);
}

static void put_responses(FILE *stream, const uint64_t responses[static 6])
{
        static const char *const names[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

        (void)fputs(",\"responses\":{", stream);
        for (size_t i = 0; i < 6; i++)
                (void)fprintf(stream, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", names[i],
                              responses[i]);
        (void)fputc('}', stream);
}

static void put_latencies(FILE *stream, const struct status_sample *before,
                          const struct status_sample *now)
{
        put_number(stream, ",\"p50_usec\":", status_latency_usec(before, now, 0.5));
        put_number(stream, ",\"p99_usec\":", status_p99_usec(before, now));
}

static void put_worker(FILE *stream, const struct seen *before, const struct seen *now,
                       const struct seen_worker *worker)
{
        const struct window_message *facts = &worker->facts;
        struct status_sample earlier = seen_before(before, worker);

        put_number(stream, "{\"worker_id\":", facts->worker_id);
        put_number(stream, ",\"pid\":", (uint32_t)facts->pid);
        put_number(stream, ",\"generation\":", facts->generation);
        put_string(stream, ",\"state\":", worker_state_name(facts->state));
        put_number(stream, ",\"age_usec\":", seen_age(now, facts->started_usec));
        put_number(stream, ",\"restarts\":", facts->n_restarts);
        (void)fprintf(stream, ",\"accepting\":%s", worker->accepting ? "true" : "false");
        put_number(stream, ",\"connections\":", worker->connections);
        put_number(stream, ",\"busy_threads\":", worker->busy);
        put_number(stream, ",\"queued\":", worker->queued);
        put_number(stream, ",\"requests\":", worker->sample.requests);
        put_number(stream, ",\"requests_per_second\":", status_rate(&earlier, &worker->sample));
        put_latencies(stream, &earlier, &worker->sample);
        put_responses(stream, worker->responses);
        put_log(stream, &worker->log);
        (void)fputs(",\"requests_in_flight\":[", stream);
        for (size_t i = 0; i < worker->n_flights; i++) {
                (void)fputs(i > 0 ? "," : "", stream);
                put_request(stream, now, &worker->flights[i]);
        }
        (void)fputs("]}", stream);
}

/* What nobody can tell is null. */
static void put_backlog(FILE *stream, uint64_t backlog)
{
        if (backlog == UINT64_MAX)
                (void)fputs(",\"backlog\":null", stream);
        else
                put_number(stream, ",\"backlog\":", backlog);
}

/* A number that the load does not change has none. */
static void put_range(FILE *stream, const char *name, const struct status_sample *sample)
{
        if (sample->most > 0)
                (void)fprintf(stream, "%s[%u,%u]", name, sample->least, sample->most);
        else
                (void)fprintf(stream, "%snull", name);
}

static void put_master(FILE *stream, const struct seen *now)
{
        put_number(stream, ",\"master\":{\"pid\":", (uint32_t)now->master.pid);
        put_number(stream, ",\"age_usec\":", seen_age(now, now->master.started_usec));
        put_number(stream, ",\"black_boxes_waiting\":", now->master.n_recoveries);
        put_log(stream, &now->log);
        (void)fputc('}', stream);
}

static void put_templates(FILE *stream, const struct seen *now)
{
        (void)fputs(",\"templates\":[", stream);
        for (size_t i = 0; i < now->n_templates; i++) {
                const struct window_message *facts = &now->templates[i];

                (void)fputs(i > 0 ? "," : "", stream);
                put_number(stream, "{\"pid\":", (uint32_t)facts->pid);
                put_number(stream, ",\"generation\":", facts->generation);
                put_string(stream, ",\"state\":", worker_state_name(facts->state));
                put_number(stream, ",\"age_usec\":", seen_age(now, facts->started_usec));
                (void)fputc('}', stream);
        }
        (void)fputc(']', stream);
}

void status_json(FILE *stream, const struct seen *before, const struct seen *now)
{
        struct seen_total total;

        seen_sum(&total, before, now);
        put_number(stream, "{\"workers_ready\":", total.now.workers);
        put_number(stream, ",\"workers_busy\":", total.now.busy);
        put_number(stream, ",\"workers_wanted\":", total.now.wanted);
        put_range(stream, ",\"workers_range\":", &total.now);
        put_number(stream, ",\"requests_per_second\":", status_rate(&total.before, &total.now));
        put_latencies(stream, &total.before, &total.now);
        put_number(stream, ",\"in_flight\":", total.in_flight);
        put_number(stream, ",\"queued\":", total.queued);
        put_backlog(stream, now->master.backlog);
        put_number(stream, ",\"log_lost\":", total.now.log_lost);
        put_number(stream, ",\"generation\":", now->master.generation);
        put_number(stream, ",\"restarts\":", now->master.n_restarts);
        put_number(stream, ",\"left_out\":", now->n_unseen);
        put_master(stream, now);
        put_templates(stream, now);
        (void)fputs(",\"workers\":[", stream);
        for (size_t i = 0; i < now->n_workers; i++) {
                (void)fputs(i > 0 ? "," : "", stream);
                put_worker(stream, before, now, &now->workers[i]);
        }
        (void)fputs("]}\n", stream);
}
