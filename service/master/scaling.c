/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at the board a few times a second, where the number may follow the load. */
#include "master/scaling.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/report.h"

#define ACCURACY_USEC (50 * USEC_PER_MSEC)

/* Where nothing follows the load. */
#define PAUSE_USEC USEC_PER_SEC

static struct generation *serving_of(const struct scaling *scaling)
{
        struct generation *generation = *scaling->serving;

        return generation && generation->phase == GENERATION_SERVING ? generation : NULL;
}

/* -- by load -- */

/* The share of the time since the last look in which its loop did not wait. */
static double loop_share(struct child *child, const struct board_slot *slot, uint64_t now)
{
        uint64_t rested = board_rested_usec(slot, now), before = child->rested_usec;
        uint64_t since =
                child->looked_usec > 0 && now > child->looked_usec ? now - child->looked_usec : 0;

        child->rested_usec = rested;
        child->looked_usec = now;
        if (since == 0 || rested < before)
                return 0;
        return rested - before < since ? (double)(since - (rested - before)) / (double)since : 0;
}

static void add_worker(struct scale_observation *seen, const struct board_slot *slot)
{
        unsigned busy = atomic_load_explicit(&slot->busy, memory_order_relaxed);
        unsigned queued = atomic_load_explicit(&slot->queued, memory_order_relaxed);

        seen->serving++;
        seen->busy += busy;
        seen->queued += queued;
        seen->full += queued > 0;
        seen->full_busy += queued > 0 ? busy : 0;
}

/* With those that will come: some are missing while one tries again. */
static unsigned expected_processes(const struct generation *generation)
{
        return generation_processes(generation) + generation->scale.wanted -
               generation_living(generation);
}

static struct scale_observation observe(struct generation *generation)
{
        struct scale_observation seen = {
                .now_usec = now_usec(),
                .processes = expected_processes(generation),
                .threads = generation->setup.config->server_threads,
        };

        for (size_t i = 0; i < generation->n_children; i++) {
                const struct board_slot *slot = board_slot(generation->board, (unsigned)i);

                if (generation->children[i].state != WORKER_READY)
                        continue;
                add_worker(&seen, slot);
                seen.loops += loop_share(&generation->children[i], slot, seen.now_usec);
        }
        return seen;
}

static void follow_load(const struct scaling *scaling, struct generation *generation)
{
        const struct scale_observation seen = observe(generation);
        int by = scale_observe(&generation->scale, &seen);
        char why[128];

        if (by == 0)
                return;
        if (by > 0)
                (void)snprintf(why, sizeof(why), "%u threads are busy and %u requests wait%s",
                               seen.busy, seen.queued,
                               scale_has_no_pause(&seen) ? ", the workers have no pause" : "");
        else
                (void)snprintf(why, sizeof(why), "the others are enough, %u threads are busy",
                               seen.busy);
        report_scaled(scaling->log, by, generation->scale.wanted, why);
        generation_resize(generation);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
        const struct scaling *scaling = data;
        struct generation *generation = serving_of(scaling);
        bool follows = generation && generation->scale.bounds.follows_load;
        int r;

        (void)usec;
        if (follows)
                follow_load(scaling, generation);
        r = sd_event_source_set_time_relative(source, follows ? SCALE_LOOK_USEC : PAUSE_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* -- by signals -- */

static void shift(const struct scaling *scaling, int by, const char *name)
{
        struct generation *generation = serving_of(scaling);

        if (!generation)
                return;
        by = scale_shift(&generation->scale, by, expected_processes(generation));
        report_scaled(scaling->log, by, generation->scale.wanted, name);
        if (by != 0)
                generation_resize(generation);
}

static int on_more(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        (void)source;
        (void)info;
        shift(data, 1, "SIGTTIN");
        return 0;
}

static int on_fewer(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        (void)source;
        (void)info;
        shift(data, -1, "SIGTTOU");
        return 0;
}

int scaling_begin(struct scaling *scaling, sd_event *event, struct generation *const *serving,
                  struct log *log)
{
        int r;

        *scaling = (struct scaling){.serving = serving, .log = log};
        r = sd_event_add_signal(event, NULL, SIGTTIN, on_more, scaling);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTTOU, on_fewer, scaling);
        if (r >= 0)
                r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, PAUSE_USEC,
                                               ACCURACY_USEC, on_look, scaling);
        return r < 0 ? r : 0;
}
