/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A generation keeps the number of its workers and says when it is ready or cannot become so. */
#include "master/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "master/cpus.h"
#include "master/report.h"
#include "worker/worker.h"

#define ACCURACY_USEC (10 * USEC_PER_MSEC)

/* -- keeping the number -- */

static void recycle(struct generation *generation);

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
        struct generation *generation = data;

        (void)source;
        (void)usec;
        generation->retry = sd_event_source_disable_unref(generation->retry);
        generation_fill(generation);
        recycle(generation);
        return 0;
}

static void retry_later(struct generation *generation)
{
        if (generation->retry)
                return;
        (void)sd_event_add_time_relative(generation->owner->host.event, &generation->retry,
                                         CLOCK_MONOTONIC, backoff_usec(generation->failures),
                                         ACCURACY_USEC, on_retry, generation);
}

/* Several may end in one try; one record tells of it. */
static void back_off(struct generation *generation, const struct child *child)
{
        char title[TITLE_MAX];

        if (generation->retry)
                return;
        report(generation->owner->host.log,
               child_is_template(child) ? EVENT_TEMPLATE_BACKOFF : EVENT_WORKER_BACKOFF,
               &child->subject, "%s ended %s it was ready: %s; try %u follows in %llu ms",
               subject_title(title, &child->subject),
               child->ready_usec > 0 ? "as soon as" : "before",
               child->said[0] ? child->said : "it did not say why", generation->failures + 1,
               (unsigned long long)(backoff_usec(generation->failures) / USEC_PER_MSEC));
        retry_later(generation);
}

/* @child is lost: what counts until the generation is complete is every loss, later only those of
 * workers that had not settled. What is lost while a retry is awaited belongs to the same try. */
static unsigned count_failure(struct generation *generation, const struct child *child)
{
        if (generation->phase != GENERATION_STARTING && child_settled(child))
                generation->failures = 0;
        else if (!generation->retry)
                generation->failures++;
        return generation->failures;
}

static void judge(struct generation *generation, const struct child *child, bool config_error)
{
        const struct generation_loss loss = {
                .phase = generation->phase,
                .older_serves = generation->older_serves,
                .was_ready = child->ready_usec > 0,
                .config_error = config_error,
                .failures = count_failure(generation, child),
        };
        enum generation_verdict verdict = generation_judge(&loss);

        switch (verdict) {
        case VERDICT_NOTHING:
                break;
        case VERDICT_RESPAWN:
                generation_fill(generation);
                break;
        case VERDICT_RESPAWN_LATER:
                back_off(generation, child);
                break;
        case VERDICT_REFUSE:
        case VERDICT_FAIL_CONFIG:
        case VERDICT_FAIL:
                generation->owner->failed(generation->owner->data, generation, verdict, child);
                break;
        }
}

static bool has_worker(const struct generation *generation, unsigned id)
{
        for (size_t i = 0; i < generation->n_children; i++)
                if (generation->children[i].subject.worker_id == id &&
                    child_lives(&generation->children[i]))
                        return true;
        return false;
}

/* Its successor is there: the two count as one. */
static bool superseded(const struct generation *generation, const struct child *child)
{
        for (size_t i = 0; child->worn_usec > 0 && i < generation->n_children; i++) {
                const struct child *other = &generation->children[i];

                if (other != child && other->subject.worker_id == child->subject.worker_id &&
                    child_lives(other))
                        return true;
        }
        return false;
}

static struct child *vacant(struct generation *generation)
{
        for (size_t i = 0; i < generation->n_children; i++)
                if (generation->children[i].state == WORKER_EMPTY)
                        return &generation->children[i];
        return NULL;
}

static void count_start(struct generation *generation, unsigned id)
{
        generation->n_restarts += generation->started[id - 1] > 0;
        generation->started[id - 1]++;
}

static void cannot_fork(struct generation *generation, struct child *child, int error)
{
        (void)snprintf(child->said, sizeof(child->said), "it cannot be forked: %s",
                       strerror(-error));
        judge(generation, child, false);
}

/* The most that it may have. */
static unsigned most_workers(const struct generation *generation)
{
        return generation->scale.bounds.follows_load ? generation->scale.bounds.max
                                                     : generation->scale.wanted;
}

/* Return: whether to go on with the next; predecessors that are still dying make room later. */
static bool start_worker(struct generation *generation, unsigned id)
{
        struct preload *preload = generation->preload;
        struct child *child = vacant(generation);
        int r;

        if (preload && !preload_takes_orders(preload))
                return false;
        if (!child)
                return true;
        child->n_workers = most_workers(generation);
        child->n_earlier = generation->started[id - 1];
        child->subject = (struct record_subject){.worker_id = id, .generation = generation->number};
        r = preload ? preload_order(preload, child) : child_spawn(child);
        if (r < 0)
                cannot_fork(generation, child, r);
        else if (!preload)
                count_start(generation, id);
        return r == 0 && !preload;
}

static bool start_template(struct generation *generation)
{
        struct child *child = &generation->preload->template;
        int r;

        child->n_workers = most_workers(generation);
        r = preload_start(generation->preload);
        if (r < 0)
                cannot_fork(generation, child, r);
        return r == 0;
}

void generation_fill(struct generation *generation)
{
        const struct scale *scale = &generation->scale;
        bool go_on = generation->phase != GENERATION_DRAINING && !generation->retry;

        if (go_on && generation->preload)
                go_on = start_template(generation);
        for (unsigned id = 1; go_on && id <= scale->bounds.max; id++)
                go_on = generation_living(generation) < scale->wanted &&
                        (has_worker(generation, id) || start_worker(generation, id));
}

/* One that serves nobody yet, else the one with the highest number. */
static struct child *dispensable(struct generation *generation)
{
        struct child *best = NULL;

        for (size_t i = 0; i < generation->n_children; i++) {
                struct child *child = &generation->children[i];

                if (!child_lives(child))
                        continue;
                if (!best || child->state < best->state ||
                    (child->state == best->state &&
                     child->subject.worker_id > best->subject.worker_id))
                        best = child;
        }
        return best;
}

/* Its number is a new one's when more are wanted again. */
static void retire(struct generation *generation, struct child *child)
{
        child->retired = true;
        generation->started[child->subject.worker_id - 1] = 0;
        if (child->state == WORKER_READY)
                report(child->host->log, EVENT_WORKER_RETIRED, &child->subject,
                       "Worker %u (pid %d) is not needed any more: it finishes its requests",
                       child->subject.worker_id, child->subject.worker_pid);
        child_event(child, WORKER_STOP);
}

void generation_resize(struct generation *generation)
{
        while (generation_living(generation) > generation->scale.wanted)
                retire(generation, dispensable(generation));
        generation_fill(generation);
}

void generation_succeed(struct generation *generation, const struct generation *older)
{
        if (generation->scale.bounds.follows_load)
                scale_init(&generation->scale, &generation->scale.bounds, older->scale.wanted);
}

/* -- recycling -- */

/* Start the successor of a worker that has asked for one, if it is time for that. */
static void recycle(struct generation *generation)
{
        _cleanup_free_ struct recycle_candidate *candidates =
                calloc(generation->n_children, sizeof(*candidates));
        int chosen;

        if (!candidates || generation->phase != GENERATION_SERVING || generation->retry)
                return;
        for (size_t i = 0; i < generation->n_children; i++) {
                const struct child *child = &generation->children[i];

                candidates[i] = (struct recycle_candidate){
                        .state = child->state,
                        .id = child->subject.worker_id,
                        .settled = child_settled(child),
                        .urgent = wear_is_urgent(child->worn),
                        .worn_usec = child->worn_usec,
                };
        }
        chosen = recycle_choose(candidates, generation->n_children, generation->scale.wanted);
        if (chosen >= 0)
                (void)start_worker(generation, generation->children[chosen].subject.worker_id);
}

static bool has_fresh_worker(const struct generation *generation, unsigned id)
{
        for (size_t i = 0; i < generation->n_children; i++)
                if (generation->children[i].subject.worker_id == id &&
                    generation->children[i].state == WORKER_READY &&
                    generation->children[i].worn_usec == 0)
                        return true;
        return false;
}

/* The worn ones whose successors serve may go. */
static void relieve_worn(struct generation *generation)
{
        for (size_t i = 0; i < generation->n_children; i++) {
                struct child *child = &generation->children[i];

                if (child->state != WORKER_READY || child->worn_usec == 0 ||
                    !has_fresh_worker(generation, child->subject.worker_id))
                        continue;
                generation->failures = 0;
                child_recycle(child);
        }
}

void generation_stop(struct generation *generation)
{
        generation->phase = GENERATION_DRAINING;
        generation->retry = sd_event_source_disable_unref(generation->retry);
        if (generation->preload)
                child_event(&generation->preload->template, WORKER_STOP);
        for (size_t i = 0; i < generation->n_children; i++)
                child_event(&generation->children[i], WORKER_STOP);
}

void generation_quit(struct generation *generation)
{
        if (generation->preload)
                child_event(&generation->preload->template, WORKER_QUIT);
        for (size_t i = 0; i < generation->n_children; i++)
                child_event(&generation->children[i], WORKER_QUIT);
}

/* -- what becomes of the children -- */

static void on_child_ready(void *data)
{
        struct generation *generation = data;

        if (generation->phase == GENERATION_SERVING)
                relieve_worn(generation);
        if (generation->phase != GENERATION_STARTING ||
            generation_serving(generation) < generation->scale.wanted)
                return;
        generation->failures = 0;
        generation->phase = GENERATION_SERVING;
        generation->owner->ready(generation->owner->data, generation);
}

static void on_child_worn(void *data)
{
        recycle(data);
}

static void on_child_leaves(void *data)
{
        generation_fill(data);
}

/* One that was retired is no loss; its end may have made room. */
static void on_child_ended(void *data, const struct child *child)
{
        if (child->retired)
                generation_fill(data);
        else
                judge(data, child,
                      child->end.si_code == CLD_EXITED && child->end.si_status == EXIT_CODE_CONFIG);
        recycle(data);
}

static void on_template_ready(void *data)
{
        generation_fill(data);
}

/* The workers live on; those that are missing wait for the next one. */
static void on_template_ended(void *data, const struct child *child)
{
        judge(data, child,
              child->end.si_code == CLD_EXITED && child->end.si_status == EXIT_CODE_CONFIG);
}

/* Meanwhile the generation may have been told to end, or to be smaller. */
static void on_delivered(void *data, struct child *worker, int result)
{
        struct generation *generation = data;

        if (result == 0)
                count_start(generation, worker->subject.worker_id);
        if (generation->phase == GENERATION_DRAINING)
                child_event(worker, WORKER_STOP);
        else if (result == 0)
                generation_resize(generation);
        else if (result != -ECANCELED) /* else it went with the template, which is told of */
                cannot_fork(generation, worker, result);
}

static bool is_known(void *data, pid_t pid)
{
        return generation_find(data, pid) != NULL;
}

/* -- beginning and end -- */

static const struct preload_owner preload_owner = {
        .template = {.ready = on_template_ready, .ended = on_template_ended},
        .delivered = on_delivered,
        .is_known = is_known,
};

static const struct child_owner child_owner = {
        .ready = on_child_ready,
        .worn = on_child_worn,
        .leaves = on_child_leaves,
        .ended = on_child_ended,
};

static struct child child_of(struct generation *generation, const struct setup *setup,
                             unsigned slot)
{
        return (struct child){
                .host = &generation->owner->host,
                .owner = &child_owner,
                .data = generation,
                .config = setup->config,
                .tls = setup->tls,
                .board = generation->board,
                .slot = slot,
        };
}

/* It has the last slot of the board, in which nothing happens. */
static int new_preload(struct generation *generation, const struct setup *setup)
{
        struct child template = child_of(generation, setup, (unsigned)generation->n_children);

        template.subject.generation = generation->number;
        return preload_new(&generation->preload, &preload_owner, &template);
}

int generation_new(struct generation **ret, const struct generation_owner *owner, unsigned number,
                   const struct setup *setup)
{
        const struct config *config = setup->config;
        const struct scale_bounds bounds =
                scale_bounds(config->server_workers, config->server_shrink_after, cpus_usable());
        size_t n_children = 2 * (size_t)bounds.max;
        struct generation *generation;
        int r;

        generation = calloc(1, sizeof(*generation) + n_children * sizeof(generation->children[0]));
        if (!generation)
                return -ENOMEM;
        generation->owner = owner;
        generation->number = number;
        generation->n_children = n_children;
        scale_init(&generation->scale, &bounds, bounds.first);
        generation->started = calloc(bounds.max, sizeof(generation->started[0]));
        r = generation->started ? board_new(&generation->board, (unsigned)n_children + 1) : -ENOMEM;
        for (unsigned i = 0; i < n_children; i++)
                generation->children[i] = child_of(generation, setup, i);
        if (r == 0 && config->server_preload)
                r = new_preload(generation, setup);
        if (r < 0) {
                generation_free(generation);
                return r;
        }
        generation->setup = *setup;
        *ret = generation;
        return 0;
}

void generation_free(struct generation *generation)
{
        if (!generation)
                return;
        (void)sd_event_source_disable_unref(generation->retry);
        preload_free(generation->preload);
        for (size_t i = 0; i < generation->n_children; i++) {
                child_forget(&generation->children[i]);
                store_leave(&generation->children[i].stored);
        }
        board_free(generation->board);
        setup_free(&generation->setup);
        free(generation->started);
        free(generation);
}

/* -- questions -- */

static bool has_template(const struct generation *generation)
{
        return generation->preload && generation->preload->template.state != WORKER_EMPTY;
}

struct child *generation_find(struct generation *generation, pid_t pid)
{
        for (size_t i = 0; i < generation->n_children; i++)
                if (generation->children[i].state != WORKER_EMPTY &&
                    generation->children[i].subject.worker_pid == pid)
                        return &generation->children[i];
        if (has_template(generation) && generation->preload->template.subject.worker_pid == pid)
                return &generation->preload->template;
        return NULL;
}

struct child *generations_find(struct generation *first, pid_t pid)
{
        for (struct generation *generation = first; generation; generation = generation->next) {
                struct child *child = generation_find(generation, pid);

                if (child)
                        return child;
        }
        return NULL;
}

unsigned generation_living(const struct generation *generation)
{
        unsigned n = 0;

        for (size_t i = 0; i < generation->n_children; i++)
                n += child_lives(&generation->children[i]) &&
                     !superseded(generation, &generation->children[i]);
        return n;
}

unsigned generation_serving(const struct generation *generation)
{
        unsigned n = 0;

        for (size_t i = 0; i < generation->n_children; i++)
                n += generation->children[i].state == WORKER_READY;
        return n;
}

unsigned generation_processes(const struct generation *generation)
{
        unsigned n = has_template(generation);

        for (size_t i = 0; i < generation->n_children; i++)
                n += generation->children[i].state != WORKER_EMPTY;
        return n;
}

const char *generation_loads(const struct generation *generation)
{
        const char *said = "";

        if (has_template(generation) && generation->preload->template.state == WORKER_STARTING)
                said = generation->preload->template.said;
        for (size_t i = 0; i < generation->n_children; i++)
                if (generation->children[i].state == WORKER_STARTING &&
                    generation->children[i].said[0])
                        said = generation->children[i].said;
        return said;
}

static bool in_time_limit(const struct generation *generation)
{
        bool in_time = generation->retry != NULL;

        if (has_template(generation))
                in_time |= generation->preload->template.state == WORKER_STARTING;
        for (size_t i = 0; i < generation->n_children; i++)
                in_time |= generation->children[i].state == WORKER_STARTING ||
                           generation->children[i].state == WORKER_DRAINING;
        return in_time;
}

bool generations_in_time(const struct generation *first)
{
        for (; first; first = first->next)
                if (in_time_limit(first))
                        return true;
        return false;
}
