/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Columns and escapes. */
#include "cli/status_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "master/supervise.h"

#define SHORT_MAX 24

/* A duration to two or three digits: "812us", "8ms", "2.1s", "12min", "5h", "3d". */
static char *short_duration(uint64_t usec, char text[static SHORT_MAX])
{
        static const struct {
                uint64_t usec;
                const char *name;
        } units[] = {
                {USEC_PER_SEC * 86400, "d"},
                {USEC_PER_SEC * 3600, "h"},
                {USEC_PER_SEC * 60, "min"},
        };

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (usec >= 2 * units[i].usec) {
                        (void)snprintf(text, SHORT_MAX, "%" PRIu64 "%s", usec / units[i].usec,
                                       units[i].name);
                        return text;
                }
        if (usec >= USEC_PER_SEC)
                (void)snprintf(text, SHORT_MAX, "%" PRIu64 ".%us", usec / USEC_PER_SEC,
                               (unsigned)(usec % USEC_PER_SEC / (USEC_PER_SEC / 10)));
        else if (usec >= USEC_PER_MSEC)
                (void)snprintf(text, SHORT_MAX, "%" PRIu64 "ms", usec / USEC_PER_MSEC);
        else
                (void)snprintf(text, SHORT_MAX, "%" PRIu64 "us", usec);
        return text;
}

/* As in MESSAGE of an access record; "-" stands for nothing. */
static void put_escaped(FILE *stream, const char *text)
{
        if (!*text)
                (void)fputc('-', stream);
        for (; *text; text++) {
                unsigned char byte = (unsigned char)*text;

                if (byte == '\\')
                        (void)fputs("\\\\", stream);
                else if (byte < ' ' || byte > '~')
                        (void)fprintf(stream, "\\x%02x", byte);
                else
                        (void)fputc(byte, stream);
        }
}

void status_text_request(FILE *stream, const struct seen *now, const struct flight *flight)
{
        char text[SHORT_MAX];
        uint32_t status = atomic_load(&flight->status);

        (void)fprintf(stream, "  %13s  ",
                      short_duration(seen_age(now, flight->started_usec), text));
        (void)fprintf(stream, "%s ", flight_state_name(atomic_load(&flight->state)));
        if (status != 0)
                (void)fprintf(stream, "%u ", status);
        put_escaped(stream, flight->method);
        (void)fputc(' ', stream);
        put_escaped(stream, flight->target);
        if (flight->target_size > strlen(flight->target))
                (void)fputs("...", stream);
        (void)fputs(" from ", stream);
        put_escaped(stream, flight->peer);
        (void)fputc(' ', stream);
        put_escaped(stream, flight->id);
        (void)fputc('\n', stream);
}

static const char *latency(const struct status_sample *before, const struct status_sample *now,
                           double share, char text[static SHORT_MAX])
{
        uint64_t usec = status_latency_usec(before, now, share);

        return usec > 0 ? short_duration(usec, text) : "-";
}

/* The columns of a line fit 80 as long as no number is out of the ordinary. */
void status_text_header(FILE *stream)
{
        (void)fprintf(stream, "%3s %7s %3s %-8s %6s %3s %5s %4s %4s %6s %5s %6s %4s %4s\n", "NO",
                      "PID", "GEN", "STATE", "AGE", "RE", "CONN", "BUSY", "WAIT", "REQ/S", "P50",
                      "P99", "LOG", "LOST");
}

void status_text_worker(FILE *stream, const struct seen *before, const struct seen *now,
                        const struct seen_worker *worker)
{
        struct status_sample earlier = seen_before(before, worker);
        uint64_t fill = worker->log.used * 100 / (worker->log.capacity ? worker->log.capacity : 1);
        char old[SHORT_MAX], p50[SHORT_MAX], p99[SHORT_MAX];

        (void)fprintf(stream,
                      "%3u %7d %3u %-8s %6s %3u %5u %4u %4u %6" PRIu64 " %5s %6s %3" PRIu64
                      "%% %4" PRIu64 "\n",
                      worker->facts.worker_id, worker->facts.pid, worker->facts.generation,
                      worker_state_name(worker->facts.state),
                      short_duration(seen_age(now, worker->facts.started_usec), old),
                      worker->facts.n_restarts, worker->connections, worker->busy, worker->queued,
                      status_rate(&earlier, &worker->sample),
                      latency(&earlier, &worker->sample, 0.5, p50),
                      latency(&earlier, &worker->sample, 0.99, p99), fill, worker->log.lost);
}

static void put_requests(FILE *stream, const struct seen *now, const struct seen_worker *worker)
{
        for (size_t i = 0; i < worker->n_flights && i < STATUS_REQUESTS_MAX; i++)
                status_text_request(stream, now, &worker->flights[i]);
        if (worker->n_flights > STATUS_REQUESTS_MAX)
                (void)fprintf(stream, "  %13s  %zu more\n", "...",
                              worker->n_flights - STATUS_REQUESTS_MAX);
}

static void put_master(FILE *stream, const struct window_message *master, const struct seen *now)
{
        char old[SHORT_MAX];

        (void)fprintf(stream, "master %d, %s old", master->pid,
                      short_duration(seen_age(now, master->started_usec), old));
        if (master->generation > 0)
                (void)fprintf(stream, "; generation %u, %u restart%s", master->generation,
                              master->n_restarts, master->n_restarts == 1 ? "" : "s");
        if (master->n_recoveries > 0)
                (void)fprintf(stream, "; %u black box%s for the journal", master->n_recoveries,
                              master->n_recoveries == 1 ? " waits" : "es wait");
        (void)fputc('\n', stream);
}

static void put_template(FILE *stream, const struct window_message *template,
                         const struct seen *now)
{
        char old[SHORT_MAX];

        (void)fprintf(stream, "template %d, %s old; generation %u, %s\n", template->pid,
                      short_duration(seen_age(now, template->started_usec), old),
                      template->generation, worker_state_name(template->state));
}

void status_text_summary(FILE *stream, const struct seen *before, const struct seen *now)
{
        struct seen_total total;
        char text[256];

        seen_sum(&total, before, now);
        status_format(text, sizeof(text), &total.before, &total.now, now->master.backlog);
        (void)fprintf(stream, "%s; %" PRIu64 " in flight\n", text, total.in_flight);
        put_master(stream, &now->master, now);
        for (size_t i = 0; i < now->n_templates; i++)
                put_template(stream, &now->templates[i], now);
        if (now->n_unseen > 0)
                (void)fprintf(stream, "%" PRIu64 " more than can be looked at once are left out\n",
                              now->n_unseen);
}

void status_text(FILE *stream, const struct seen *before, const struct seen *now)
{
        status_text_summary(stream, before, now);
        status_text_header(stream);
        for (size_t i = 0; i < now->n_workers; i++) {
                status_text_worker(stream, before, now, &now->workers[i]);
                put_requests(stream, now, &now->workers[i]);
        }
}
