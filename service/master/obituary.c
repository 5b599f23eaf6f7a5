/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cause, requests, last output and stack put into one event; and one access record a request. */
#include "master/obituary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "log/events.h"
#include "log/output.h"
#include "master/report.h"

/* What a client without an answer got, in a way: the status of a service that went away. */
#define STATUS_NONE 503

static bool ended_well(const struct death *death)
{
        if (death->discarded)
                return true;
        return death->leaving && death->known && death->how.si_code == CLD_EXITED &&
               death->how.si_status == 0;
}

static const char *signal_name(int number)
{
        const char *name = sigabbrev_np(number);

        return name ? name : "unknown";
}

/* For those who count deaths by their causes. */
static const char *cause_of(const struct death *death, int signal)
{
        if (!death->known && signal == 0)
                return "service-killed";
        if (death->oom)
                return "out-of-memory";
        if (death->hung)
                return "hung";
        if (death->cut)
                return "graceful-timeout";
        return death->known && death->how.si_code == CLD_EXITED ? "exit-code" : "signal";
}

static void add_core(struct record *record, struct obituary *texts, const struct death *death)
{
        size_t used = strlen(texts->cause);
        bool named = death->core[0] != '\0';

        if (!death->known || death->how.si_code != CLD_DUMPED)
                return;
        record_string(record, "COREDUMP", named ? death->core : NULL);
        (void)snprintf(texts->cause + used, sizeof(texts->cause) - used, ", core dumped%s%s%s",
                       named ? " (" : "", death->core, named ? ")" : "");
}

/* What hit the process first; what ended it may have been the end of somebody's patience. */
static void add_cause(struct record *record, struct obituary *texts, const struct death *death,
                      const struct box *box)
{
        int hit = atomic_load(&box->header->crash.signal);
        int number = hit > 0 || !death->known ? hit : death->how.si_status;

        record_string(record, "CAUSE", cause_of(death, number));
        if (death->known && death->how.si_code == CLD_EXITED) {
                record_number(record, "EXIT_CODE", (unsigned)death->how.si_status);
                (void)snprintf(texts->cause, sizeof(texts->cause), "exit code %d",
                               death->how.si_status);
        } else if (number > 0) {
                record_string(record, "SIGNAL", signal_name(number));
                (void)snprintf(texts->cause, sizeof(texts->cause), "%ssignal %s",
                               death->oom ? "out of memory, " : "", signal_name(number));
                add_core(record, texts, death);
        } else {
                (void)snprintf(texts->cause, sizeof(texts->cause), "killed with the service");
        }
}

/* -- the requests -- */

static uint64_t age_of(const struct flight *flight)
{
        uint64_t now = now_usec();

        return flight->started_usec < now ? now - flight->started_usec : 0;
}

/* One line: what a client or a crashed process wrote is escaped. */
static void write_request(char *text, size_t size, const struct flight *flight)
{
        const char *at = flight->target;
        size_t n = 0;
        int written;

        written = snprintf(text, size, "%s ", flight->method[0] ? flight->method : "-");
        n = written > 0 ? (size_t)written : 0;
        for (; *at && n + 8 < size; at++) {
                bool plain = *at > ' ' && *at <= '~' && *at != '\\';

                n += (size_t)snprintf(text + n, size - n, plain ? "%c" : "\\x%02x",
                                      (unsigned char)*at);
        }
        if (n < size)
                (void)snprintf(text + n, size - n, "%s",
                               *at || flight->target_size >= sizeof(flight->target) ? "..." : "");
}

static void add_line(char *lines, size_t size, const struct flight *flight)
{
        size_t used = strlen(lines);
        char request[400];

        write_request(request, sizeof(request), flight);
        (void)snprintf(lines + used, size - used, "%s%s %s from %s, %s, %" PRIu64 " ms",
                       used > 0 ? "\n" : "", flight->id, request,
                       flight->peer[0] ? flight->peer : "-",
                       flight_state_name((enum flight_state)atomic_load(&flight->state)),
                       age_of(flight) / USEC_PER_MSEC);
}

unsigned obituary_requests(char *lines, size_t size, const struct box *box)
{
        unsigned used = box_flights_used(box), n = 0;
        struct flight flight;

        lines[0] = '\0';
        for (unsigned i = 0; i < used; i++) {
                if (!flight_read(&box->flights[i], &flight))
                        continue;
                if (n++ < OBITUARY_REQUESTS_MAX)
                        add_line(lines, size, &flight);
        }
        return n;
}

static void add_request(struct record *record, struct obituary *texts, const struct flight *flight)
{
        char *id = texts->ids[texts->in_flight];

        add_line(texts->requests, sizeof(texts->requests), flight);
        memcpy(id, flight->id, sizeof(flight->id));
        record_string(record, "REQUEST_ID", id);
}

/* The one in the thread that was hit; without a hit, one that is alone in the application. */
static void find_culprit(struct obituary *texts, const struct flight *flight, int thread)
{
        int own = atomic_load(&flight->thread);

        if (atomic_load(&flight->state) != FLIGHT_RUNNING || own == 0 ||
            (thread > 0 && own != thread))
                return;
        texts->suspects++;
        texts->culprit = *flight;
}

static void add_requests(struct record *record, struct obituary *texts, const struct box *box)
{
        int thread = atomic_load(&box->header->crash.thread);
        unsigned n = box_flights_used(box);
        struct flight flight;

        for (unsigned i = 0; i < n; i++) {
                if (!flight_read(&box->flights[i], &flight))
                        continue;
                find_culprit(texts, &flight, thread);
                if (texts->in_flight < OBITUARY_REQUESTS_MAX)
                        add_request(record, texts, &flight);
                texts->in_flight++;
        }
        record_number(record, "IN_FLIGHT", texts->in_flight);
        record_string(record, "REQUESTS", texts->requests[0] ? texts->requests : NULL);
}

/* -- what it left -- */

static void add_stack(struct record *record, struct obituary *texts, const struct box *box)
{
        size_t size = strnlen(box->stack, BOX_STACK_SIZE - 1);

        memcpy(texts->stack, box->stack, size);
        while (size > 0 && texts->stack[size - 1] == '\n')
                size--;
        if (size > 0)
                record_bytes(record, "STACK", texts->stack, size);
}

static void add_output(struct record *record, struct obituary *texts, const struct box *box)
{
        size_t size = 0;

        if (box->layout.output_size == output_memory_size())
                size = output_tail(box->output, texts->output);
        if (size > 0)
                record_bytes(record, "LAST_OUTPUT", texts->output, size);
}

/* -- the event -- */

static void write_message(struct record *record, const struct obituary *texts,
                          const struct death *death)
{
        const struct record_subject *subject = &death->subject;
        const struct flight *culprit = &texts->culprit;
        char request[400], during[640] = "", others[64] = "", title[TITLE_MAX];
        bool known = texts->suspects == 1;
        unsigned rest = texts->in_flight - known;

        if (known) {
                write_request(request, sizeof(request), culprit);
                (void)snprintf(during, sizeof(during), ", in %s from %s (request %s)", request,
                               culprit->peer[0] ? culprit->peer : "-", culprit->id);
        }
        if (rest > 0)
                (void)snprintf(others, sizeof(others), "; %u %srequest%s in flight", rest,
                               known ? "more " : "", rest > 1 ? "s" : "");
        record_format(record, "MESSAGE", "%s (pid %d) died: %s, %.1f s old%s%s",
                      subject_title(title, subject), subject->worker_pid, texts->cause,
                      (double)death->age_usec / (double)USEC_PER_SEC, during, others);
}

static void master_record(struct record *record, const struct death *death)
{
        const struct record_subject nobody = {0};

        record_event(record, EVENT_MASTER_DIED, &nobody);
        record_format(record, "MESSAGE",
                      "The former master (pid %d) ended without stopping the service",
                      death->subject.worker_pid);
}

void obituary_record(struct record *record, struct obituary *texts, const struct death *death,
                     const struct box *box)
{
        static const enum event events[][2] = {
                [DEATH_OF_TEMPLATE] = {EVENT_TEMPLATE_DIED, EVENT_TEMPLATE_EXITED},
                [DEATH_OF_WORKER] = {EVENT_WORKER_DIED, EVENT_WORKER_EXITED},
        };
        bool well = ended_well(death);
        char title[TITLE_MAX];

        if (death_of(death) == DEATH_OF_MASTER) {
                master_record(record, death);
                return;
        }
        record_event(record, events[death_of(death)][well], &death->subject);
        add_cause(record, texts, death, box);
        record_number(record, "AGE_USEC", death->age_usec);
        if (well) {
                record_format(record, "MESSAGE", "%s (pid %d) %s",
                              subject_title(title, &death->subject), death->subject.worker_pid,
                              death->discarded ? "is not needed any more, it was not ready yet"
                                               : "has ended");
                return;
        }
        add_requests(record, texts, box);
        add_output(record, texts, box);
        add_stack(record, texts, box);
        write_message(record, texts, death);
}

/* -- one request -- */

/* The target as far as it was kept, marked when that is not all of it. */
static const char *target_of(const struct flight *flight, struct arena *arena, size_t *ret_size)
{
        size_t size = strlen(flight->target);
        char *marked;

        *ret_size = size;
        if (flight->target_size < sizeof(flight->target))
                return size > 0 ? flight->target : NULL;
        marked = arena_alloc(arena, size + sizeof("..."));
        if (!marked)
                return flight->target;
        memcpy(marked, flight->target, size);
        memcpy(marked + size, "...", sizeof("..."));
        *ret_size = size + strlen("...");
        return marked;
}

void obituary_access(struct record *record, struct request *request, const struct flight *flight,
                     const struct death *death, struct arena *arena)
{
        unsigned status = atomic_load(&flight->status);
        const struct access access = {
                .request = request,
                .outcome = death->cut ? OUTCOME_SHUTDOWN : OUTCOME_WORKER_DIED,
                .status = status > 0 ? (int)status : STATUS_NONE,
                .response_bytes = status > 0 ? atomic_load(&flight->response_bytes) : 0,
                .duration_usec = age_of(flight),
                .app = flight->app[0] ? flight->app : NULL,
                .reason = death->cut ? "worker stopped" : "worker died",
                .program = {.pid = atomic_load(&flight->group)},
        };

        *request = (struct request){
                .method = flight->method[0] ? flight->method : NULL,
                .version = flight->version[0] ? flight->version : NULL,
        };
        (void)snprintf(request->id, sizeof(request->id), "%s", flight->id);
        (void)snprintf(request->peer, sizeof(request->peer), "%s", flight->peer);
        request->target = target_of(flight, arena, &request->target_size);
        access_record(record, &access, &death->subject, arena);
}
