/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The master's life: set-up, one loop in which generations come and go, and the end. */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/dump.h"
#include "master/generation.h"
#include "master/hint.h"
#include "master/listen.h"
#include "master/notify.h"
#include "master/orphans.h"
#include "master/recorder.h"
#include "master/report.h"
#include "master/scaling.h"
#include "master/sockets.h"
#include "master/spawn.h"
#include "master/status.h"
#include "master/systemd.h"
#include "master/watch.h"
#include "master/window.h"
#include "worker/worker.h"

/* How often status, time limits and the log are looked after. */
#define TICK_USEC     USEC_PER_SEC
#define ACCURACY_USEC (50 * USEC_PER_MSEC)

/* systemd is told each second that a start, reload or stop goes on; so long it waits for the next
 * word. */
#define EXTENSION_USEC (10 * USEC_PER_SEC)

/* A process that floods the notify socket, which comes before all else, must not keep the master
 * from its work: so much is read at once, so often in so long. */
#define WORDS_PER_TURN      64
#define WORDS_TURNS         100
#define WORDS_INTERVAL_USEC (100 * USEC_PER_MSEC)

struct master {
        const struct master_options *options;
        struct generation_owner owner;
        struct listeners listeners;
        struct notify notify;
        struct manager manager;
        struct generation *generations; /* all that have processes, newest first */
        struct generation *serving;     /* NULL: none was ever ready */
        struct generation *coming;      /* the one that starts; NULL: none */
        unsigned last_number;
        bool stopping;
        struct reload_outcome reloaded;
        bool reload_again; /* asked for while one was going on */
        struct status_sample sample;
        struct recorder recorder;
        struct window window;
        struct scaling scaling;
        struct watch *watch; /* NULL: nobody asked for it */
        struct oom oom;
        struct dump dump;
};

static sd_event *loop_of(const struct master *master)
{
        return master->owner.host.event;
}

static struct log *log_of(const struct master *master)
{
        return master->owner.host.log;
}

/* -- generations come and go -- */

static void stop_generations(struct master *master)
{
        master->coming = NULL;
        for (struct generation *generation = master->generations; generation;
             generation = generation->next)
                generation_stop(generation);
}

/* End the loop; what serves drains without its master, what does not is killed. */
static void fail(struct master *master, enum exit_code code, const char *why)
{
        manager_failed(EIO, why);
        stop_generations(master);
        (void)sd_event_exit(loop_of(master), (int)code);
}

/* Takes @setup over. */
static int begin_generation(struct master *master, struct setup *setup)
{
        struct generation *generation;
        int r;

        r = generation_new(&generation, &master->owner, master->last_number + 1, setup);
        if (r < 0) {
                setup_free(setup);
                return r;
        }
        master->last_number++;
        generation->older_serves = master->serving != NULL;
        if (master->serving)
                generation_succeed(generation, master->serving);
        generation->next = master->generations;
        master->generations = generation;
        master->coming = generation;
        watch_follow(master->watch, &master->options->source, generation->setup.config);
        generation_fill(generation);
        return 0;
}

/* Free the generations whose last process is gone. */
static void bury_generations(struct master *master)
{
        struct generation **link = &master->generations;

        while (*link) {
                struct generation *generation = *link;

                if (generation->phase != GENERATION_DRAINING ||
                    generation_processes(generation) > 0) {
                        link = &generation->next;
                        continue;
                }
                *link = generation->next;
                if (generation == master->serving)
                        master->serving = NULL;
                generation_free(generation);
        }
        if (master->stopping && !master->generations)
                (void)sd_event_exit(loop_of(master), EXIT_CODE_OK);
}

/* What those that start have said last: who takes minutes is named. */
static void tell_loading(struct master *master)
{
        const char *said = generation_loads(master->coming);
        char status[MANAGER_STATUS_MAX];

        (void)snprintf(status, sizeof(status), "%s: %u of %u workers ready%s%s",
                       master->serving ? "reloading" : "starting",
                       generation_serving(master->coming), master->coming->scale.wanted,
                       said[0] ? ", " : "", said);
        manager_status(&master->manager, status);
}

static void update_status(struct master *master)
{
        const struct generation *serving = master->serving;
        struct status_sample now = {.taken_usec = now_usec()};
        char text[192], status[MANAGER_STATUS_MAX];

        if (master->coming && !master->stopping)
                tell_loading(master);
        if (!serving || master->stopping || master->coming)
                return;
        status_wanted(&now, &serving->scale);
        now.log_lost =
                log_counters(log_of(master)).lost + recoveries_lost(&master->recorder.recoveries);
        for (size_t i = 0; i < serving->n_children; i++)
                if (serving->children[i].state == WORKER_READY)
                        status_add(&now, board_slot(serving->board, (unsigned)i));
        if (master->sample.taken_usec > 0) {
                status_format(text, sizeof(text), &master->sample, &now,
                              listen_backlog(&master->listeners));
                (void)snprintf(status, sizeof(status), "%s%s%s", text,
                               master->reloaded.refusal[0] ? "; reload refused: " : "",
                               master->reloaded.refusal);
                manager_status(&master->manager, status);
        }
        master->sample = now;
}

static void first_ready(struct master *master, const struct generation *generation)
{
        report(log_of(master), EVENT_MASTER_READY, NULL, "Ready: %u workers serve",
               generation->scale.wanted);
        sockets_announce(&master->listeners, master->options, log_of(master));
}

static void reload(struct master *master);

static void on_generation_ready(void *data, struct generation *generation)
{
        struct master *master = data;
        struct generation *older = master->serving;

        master->coming = NULL;
        master->serving = generation;
        master->reloaded = (struct reload_outcome){0};
        master->sample = (struct status_sample){0};
        log_set_level(log_of(master), (int)generation->setup.config->log_level);
        if (older) {
                generation_stop(older);
                report(log_of(master), EVENT_RELOAD_DONE, NULL, "Reloaded: generation %u serves",
                       generation->number);
        } else {
                first_ready(master, generation);
        }
        manager_ready(&master->manager, "serving");
        update_status(master);
        if (master->reload_again)
                reload(master);
}

/* The service goes on as it was; that it was asked for something else stays in the status. */
static void refuse_reload(struct master *master, const char *why)
{
        char status[MANAGER_STATUS_MAX];

        master->reloaded.under_way = 0;
        (void)snprintf(master->reloaded.refusal, sizeof(master->reloaded.refusal), "%s", why);
        (void)snprintf(status, sizeof(status), "serving; reload refused: %s",
                       master->reloaded.refusal);
        manager_ready(&master->manager, status);
        if (master->reload_again)
                reload(master);
}

static void on_generation_failed(void *data, struct generation *generation,
                                 enum generation_verdict verdict, const struct child *last)
{
        struct master *master = data;
        const char *why = last->said[0] ? last->said : "a worker ended before it was ready";
        struct record_subject subject = {.generation = generation->number};

        if (verdict == VERDICT_FAIL_CONFIG) {
                fail(master, EXIT_CODE_CONFIG, why); /* the worker has told all of it */
                return;
        }
        if (verdict == VERDICT_FAIL) {
                report(log_of(master), EVENT_MASTER_FAILED, &subject,
                       "Giving up after %u tries: %s", generation->failures, why);
                fail(master, EXIT_CODE_BUG, why);
                return;
        }
        report(log_of(master), EVENT_RELOAD_FAILED, &subject,
               "Reload failed, generation %u serves on: %s", master->serving->number, why);
        master->coming = NULL;
        generation_stop(generation);
        refuse_reload(master, why);
}

static void reload(struct master *master)
{
        struct problems problems = {0};
        struct setup setup;
        int r;

        if (master->stopping)
                return;
        master->reloaded.under_way = 1;
        master->reload_again = master->coming != NULL;
        if (master->coming)
                return;

        manager_reloading(&master->manager);
        r = setup_load(&setup, master->options, &master->listeners, &problems);
        if (r < 0) {
                report_problems(log_of(master), &problems);
                refuse_reload(master, problems.n > 0 ? problems.texts[0] : strerror(-r));
                problems_free(&problems);
                return;
        }
        problems_free(&problems);
        report(log_of(master), EVENT_RELOAD_STARTED, NULL, "Reloading as generation %u",
               master->last_number + 1);
        r = begin_generation(master, &setup);
        if (r < 0)
                refuse_reload(master, strerror(-r));
}

/* What is being loaded is out of date. */
static void on_files_changed(void *data)
{
        struct master *master = data;

        if (master->coming && master->serving) {
                generation_stop(master->coming);
                master->coming = NULL;
        }
        reload(master);
}

static void stop(struct master *master)
{
        if (master->stopping)
                return;
        master->stopping = true;
        manager_stopping(&master->manager, "stopping: requests that have begun are finished");
        report(log_of(master), EVENT_MASTER_STOPPING, NULL, "Stopping");
        stop_generations(master);
}

/* For somebody who cannot wait for the end of the drain. */
static void quit(struct master *master)
{
        stop(master);
        report(log_of(master), EVENT_DRAIN_TIMEOUT, NULL,
               "Told to quit at once: requests that have begun are cut");
        for (struct generation *generation = master->generations; generation;
             generation = generation->next)
                generation_quit(generation);
}

/* -- events of the loop -- */

static int on_notification(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct master *master = data;
        struct notification told;

        (void)source;
        (void)fd;
        (void)events;
        for (unsigned n = 0; n < WORDS_PER_TURN && notify_receive(&master->notify, &told) > 0; n++)
                child_hear(generations_find(master->generations, told.pid), &told);
        return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        (void)source;
        (void)info;
        stop(data);
        return 0;
}

static int on_quit_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        (void)source;
        (void)info;
        quit(data);
        return 0;
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info,
                            void *data)
{
        (void)source;
        (void)info;
        reload(data);
        return 0;
}

/* Arm a repeating timer again. */
static int again(sd_event_source *source, uint64_t usec)
{
        int r = sd_event_source_set_time_relative(source, usec);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Past their limits workers are killed; if even that does not help, systemd's own limit decides. */
static bool is_worth_waiting(const struct master *master)
{
        return (master->coming || master->stopping) && generations_in_time(master->generations);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
        struct master *master = data;

        (void)usec;
        oom_turn(&master->oom, now_usec());
        orphans_reap(master->generations);
        update_status(master);
        if (is_worth_waiting(master))
                manager_extend(EXTENSION_USEC);
        return again(source, TICK_USEC);
}

/* The master's own beat: the loop turns, or this would not run, and somebody serves. */
static int on_beat(sd_event_source *source, uint64_t usec, void *data)
{
        struct master *master = data;

        (void)usec;
        if (!master->serving || master->stopping || generation_serving(master->serving) > 0)
                manager_beat();
        return again(source, manager_watchdog_usec() / 2);
}

static int after_turn(sd_event_source *source, void *data)
{
        struct master *master = data;

        (void)source;
        bury_generations(master);
        recorder_turn(&master->recorder, loop_of(master));
        return 0;
}

/* -- set-up and end -- */

static int add_notify(struct master *master)
{
        sd_event_source *notify = NULL;
        int r;

        r = sd_event_add_io(loop_of(master), &notify, master->notify.fd, EPOLLIN, on_notification,
                            master);
        if (r >= 0)
                r = sd_event_source_set_priority(notify, PRIORITY_WORDS);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(notify, WORDS_INTERVAL_USEC, WORDS_TURNS);
        if (r >= 0)
                r = sd_event_source_set_floating(notify, true);
        (void)sd_event_source_unref(notify);
        return r;
}

/* At a short interval the beat must not be late by much of it. */
static uint64_t beat_accuracy(uint64_t watchdog)
{
        uint64_t accuracy = watchdog / 10 + 1;

        return accuracy < ACCURACY_USEC ? accuracy : ACCURACY_USEC;
}

static int add_sources(struct master *master)
{
        sd_event *event = loop_of(master);
        uint64_t watchdog = manager_watchdog_usec();
        int r;

        r = add_notify(master);
        if (r >= 0)
                r = orphans_take_in(event, &master->generations);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_stop_signal, master);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_stop_signal, master);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGQUIT, on_quit_signal, master);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_reload_signal, master);
        if (r >= 0)
                r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, TICK_USEC,
                                               ACCURACY_USEC, on_tick, master);
        if (r >= 0 && watchdog > 0)
                r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, watchdog / 2,
                                               beat_accuracy(watchdog), on_beat, master);
        if (r >= 0)
                r = scaling_begin(&master->scaling, event, &master->serving, log_of(master));
        if (r >= 0)
                r = hint_begin(event, log_of(master));
        return r < 0 ? r : sd_event_add_post(event, NULL, after_turn, master);
}

static int open_log(struct master *master)
{
        struct child_host *host = &master->owner.host;
        int r = recorder_open(&master->recorder, host->log_target, host->console);

        host->log = master->recorder.log;
        return r;
}

/* Return: an exit_code. */
static int load_first_config(struct master *master)
{
        struct problems problems = {0};
        struct setup setup;
        int r;

        r = setup_load(&setup, master->options, &master->listeners, &problems);
        if (r < 0) {
                report_problems(log_of(master), &problems);
                manager_failed(-r, problems.n > 0 ? problems.texts[0] : strerror(-r));
                problems_free(&problems);
                return r == -EINVAL ? EXIT_CODE_CONFIG : EXIT_CODE_BUG;
        }
        problems_free(&problems);
        log_set_level(log_of(master), (int)setup.config->log_level);
        return begin_generation(master, &setup) < 0 ? EXIT_CODE_BUG : EXIT_CODE_OK;
}

/* Return: an exit_code. */
static int cannot(struct master *master, const char *what, int error)
{
        char status[128];

        (void)snprintf(status, sizeof(status), "cannot %s: %s", what, strerror(-error));
        if (log_of(master))
                report(log_of(master), EVENT_MASTER_FAILED, NULL, "Giving up: %s", status);
        manager_failed(-error, status);
        return EXIT_CODE_BUG;
}

static int open_window(struct master *master)
{
        const struct window_scene scene = {
                .generations = &master->generations,
                .recoveries = &master->recorder.recoveries,
                .listeners = &master->listeners,
                .box = master->recorder.box.box,
                .reload = &master->reloaded,
        };

        return window_open(&master->window, &scene, loop_of(master), master->notify.path);
}

/* Return: an exit_code; 0: the first generation is starting. */
static int set_up(struct master *master)
{
        int code, r;

        r = spawn_block_signals();
        if (r == 0)
                r = open_log(master);
        if (r == 0)
                r = sd_event_new(&master->owner.host.event);
        if (r < 0)
                return cannot(master, "open log and event loop", r);
        r = notify_listen(&master->notify);
        if (r < 0)
                return cannot(master, "open the workers' notify socket", r);
        master->owner.host.notify_path = master->notify.path;
        recorder_begin(&master->recorder, loop_of(master), master->options->log_target,
                       master->owner.host.console);
        r = open_window(master);
        if (r < 0)
                return cannot(master, "open the socket for `appsrv status`", r);
        if (master->options->reload)
                r = watch_new(&master->watch, loop_of(master), log_of(master), on_files_changed,
                              master);
        if (r >= 0)
                r = add_sources(master);
        if (r >= 0)
                r = dump_open(&master->dump, &master->window.scene, log_of(master),
                              loop_of(master));
        if (r < 0)
                return cannot(master, "watch sockets, signals and time", r);
        code = sockets_take(&master->listeners, master->options, log_of(master));
        return code != EXIT_CODE_OK ? code : load_first_config(master);
}

static void tear_down(struct master *master)
{
        window_close(&master->window);
        dump_close(&master->dump);
        while (master->generations) {
                struct generation *generation = master->generations;

                master->generations = generation->next;
                generation_free(generation);
        }
        watch_free(master->watch);
        recorder_stop(&master->recorder);
        (void)sd_event_unref(loop_of(master));
        notify_close(&master->notify);
        listen_close(&master->listeners);
        recorder_close(&master->recorder);
}

int master_run(const struct master_options *options)
{
        struct master master = {
                .options = options,
                .owner =
                        {
                                .ready = on_generation_ready,
                                .failed = on_generation_failed,
                        },
                .notify.fd = -1,
        };
        int code;

        master.owner.data = &master;
        master.owner.host.listeners = &master.listeners;
        master.owner.host.log_target = options->log_target;
        /* Workers need it where their standard error is not it any more. */
        master.owner.host.console = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        oom_begin_self(&master.oom);
        master.owner.host.oom = &master.oom;
        master.owner.host.store = &master.recorder.store;
        master.owner.host.recoveries = &master.recorder.recoveries;

        code = set_up(&master);
        if (code == EXIT_CODE_OK) {
                code = sd_event_loop(loop_of(&master));
                if (code < 0)
                        code = EXIT_CODE_BUG;
        }
        tear_down(&master);
        return code;
}
