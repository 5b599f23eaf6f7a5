/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Supervision as it is, in a world that is not: child.c, generation.c and scaling.c compiled once
 * more over an event loop in virtual time and processes that are a few numbers.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beside those that the program has. */
#define child_spawn          virtual_child_spawn
#define child_order          virtual_child_order
#define child_adopt          virtual_child_adopt
#define child_discard        virtual_child_discard
#define child_is_template    virtual_child_is_template
#define child_event          virtual_child_event
#define child_extend         virtual_child_extend
#define child_forget         virtual_child_forget
#define child_hear           virtual_child_hear
#define child_recycle        virtual_child_recycle
#define child_settled        virtual_child_settled
#define child_lives          virtual_child_lives
#define generation_new       virtual_generation_new
#define generation_free      virtual_generation_free
#define generation_succeed   virtual_generation_succeed
#define generation_resize    virtual_generation_resize
#define generation_fill      virtual_generation_fill
#define generation_stop      virtual_generation_stop
#define generation_quit      virtual_generation_quit
#define generation_find      virtual_generation_find
#define generations_find     virtual_generations_find
#define generation_serving   virtual_generation_serving
#define generation_living    virtual_generation_living
#define generation_loads     virtual_generation_loads
#define generation_processes virtual_generation_processes
#define generations_in_time  virtual_generations_in_time
#define scaling_begin        virtual_scaling_begin

#include "base/cleanup.h"
#include "base/clock.h"
#include "board/box.h"
#include "log/events.h"
#include "master/cpus.h"
#include "master/generation.h"
#include "master/report.h"
#include "master/scaling.h"
#include "master/spawn.h"
#include "worker/worker.h"

#define SOURCES_MAX   512
#define PROCESSES_MAX 128
#define NEVER         UINT64_MAX

/* -- the event loop -- */

struct sd_event_source {
        bool used;
        bool enabled;
        uint64_t when; /* of a timer */
        sd_event_time_handler_t on_time;
        sd_event_child_handler_t on_death;
        pid_t pid;
        void *data;
};

/* A worker process: what it will do, and when. */
struct process {
        pid_t pid;                                                 /* 0: none */
        uint64_t ready_usec, stopping_usec, death_usec, beat_usec; /* NEVER: it will not */
        uint64_t beats;                                            /* that far apart */
        uint64_t last_beat;                                        /* or the word that came last */
        uint64_t drain_usec;  /* how long it takes to finish what it has begun */
        bool takes_abort;     /* it ends by SIGABRT */
        bool aborted;         /* was sent it */
        bool ready;           /* has told so */
        int signal;           /* that ends it; 0: it exits */
        int code;             /* with this */
        unsigned deaths_told; /* how often its end was told to its master */
};

static struct {
        uint64_t now;
        struct sd_event_source sources[SOURCES_MAX];
        struct process processes[PROCESSES_MAX];
        pid_t last_pid;
        sd_event_signal_handler_t on_signal[64];
        void *signal_data;
        unsigned events[EVENTS_MAX];
        unsigned long spawned, buried, refused_abort;
        /* What a new process will be like; false: there can be none. */
        bool (*begin)(struct process *process, unsigned generation);
} virtual;

static struct sd_event_source *new_source(void)
{
        for (size_t i = 0; i < SOURCES_MAX; i++)
                if (!virtual.sources[i].used) {
                        virtual.sources[i] = (struct sd_event_source){.used = true,
                                                                      .enabled = true};
                        return &virtual.sources[i];
                }
        abort();
}

static int virtual_add_time(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                            uint64_t accuracy, sd_event_time_handler_t handler, void *data)
{
        struct sd_event_source *source = new_source();

        (void)event;
        (void)accuracy;
        assert(clock == CLOCK_MONOTONIC);
        source->when = virtual.now + usec;
        source->on_time = handler;
        source->data = data;
        if (ret)
                *ret = source;
        return 0;
}

static int virtual_set_time(sd_event_source *source, uint64_t usec)
{
        source->when = virtual.now + usec;
        return 0;
}

static int virtual_set_enabled(sd_event_source *source, int how)
{
        source->enabled = how != SD_EVENT_OFF;
        return 0;
}

static sd_event_source *virtual_unref(sd_event_source *source)
{
        if (source)
                *source = (struct sd_event_source){0};
        return NULL;
}

static int virtual_add_child(sd_event *event, sd_event_source **ret, pid_t pid, int options,
                             sd_event_child_handler_t handler, void *data)
{
        struct sd_event_source *source = new_source();

        (void)event;
        assert(options == WEXITED);
        source->pid = pid;
        source->on_death = handler;
        source->data = data;
        *ret = source;
        return 0;
}

static int virtual_set_priority(sd_event_source *source, int64_t priority)
{
        assert(source->used && priority < SD_EVENT_PRIORITY_NORMAL);
        return 0;
}

static int virtual_add_signal(sd_event *event, sd_event_source **ret, int number,
                              sd_event_signal_handler_t handler, void *data)
{
        (void)event;
        (void)ret;
        virtual.on_signal[number] = handler;
        virtual.signal_data = data;
        return 0;
}

static uint64_t virtual_now(void)
{
        return virtual.now;
}

/* -- processes -- */

static struct process *find_process(pid_t pid)
{
        for (size_t i = 0; pid > 0 && i < PROCESSES_MAX; i++)
                if (virtual.processes[i].pid == pid)
                        return &virtual.processes[i];
        return NULL;
}

static void end_process(struct process *process, uint64_t in_usec, int number)
{
        if (process->death_usec <= virtual.now + in_usec)
                return;
        process->death_usec = virtual.now + in_usec;
        process->signal = number;
        process->code = 0;
}

static int virtual_signal(sd_event_source *source, int number, const siginfo_t *info,
                          unsigned flags)
{
        struct process *process = find_process(source->pid);

        assert(!info && flags == 0 && process);
        process->aborted |= number == SIGABRT;
        /* Who has served is asked where he is first. */
        assert(number != SIGKILL || process->aborted || !process->ready);
        virtual.refused_abort += number == SIGKILL && process->aborted;
        if (number == SIGKILL)
                end_process(process, USEC_PER_MSEC, SIGKILL);
        else if (number == SIGABRT && process->takes_abort)
                end_process(process, 100 * USEC_PER_MSEC, SIGABRT);
        else if (number == SIGTERM && process->beat_usec != NEVER)
                end_process(process, process->drain_usec, 0);
        return 0;
}

static pid_t virtual_spawn(const struct worker_options *options, const int prints[static 2],
                           struct log *log)
{
        (void)prints;
        (void)log;
        for (size_t i = 0; i < PROCESSES_MAX; i++) {
                struct process *process = &virtual.processes[i];

                if (process->pid != 0)
                        continue;
                *process = (struct process){.last_beat = virtual.now};
                if (!virtual.begin(process, options->subject.generation))
                        return -EAGAIN;
                process->pid = ++virtual.last_pid;
                virtual.spawned++;
                return process->pid;
        }
        abort();
}

/* -- what a child has -- */

static int virtual_store(struct store *store, const struct box_layout *layout,
                         struct stored_box *ret)
{
        struct box *box = calloc(1, sizeof(*box));

        (void)store;
        (void)layout;
        assert(box);
        box->header = calloc(1, sizeof(*box->header));
        assert(box->header);
        *ret = (struct stored_box){.box = box};
        return 0;
}

static void virtual_store_end(struct stored_box *stored)
{
        if (stored->box)
                free(stored->box->header);
        free(stored->box);
        *stored = (struct stored_box){0};
}

static void virtual_inherit(struct box *box, bool inherited)
{
        (void)box;
        (void)inherited;
}

/* The pipes of a process are no more than numbers. */
static int virtual_pipe(int pipes[static 2], int flags)
{
        (void)flags;
        pipes[0] = pipes[1] = -1;
        return 0;
}

static int virtual_fcntl(int fd, int command, ...)
{
        (void)fd;
        (void)command;
        return 0;
}

static void virtual_recover(struct recoveries *recoveries, struct stored_box *stored,
                            const int *printed, const struct death *death)
{
        struct process *process = find_process(death->subject.worker_pid);

        (void)recoveries;
        (void)printed;
        assert(process && process->deaths_told == 1);
        process->pid = 0;
        virtual.buried++;
        virtual_store_end(stored);
}

__attribute__((format(printf, 4, 5))) static void
virtual_report(struct log *log, enum event event, const struct record_subject *subject,
               const char *format, ...)
{
        (void)log;
        (void)subject;
        (void)format;
        virtual.events[event]++;
}

static void virtual_report_scaled(struct log *log, int by, unsigned wanted, const char *why)
{
        (void)log;
        (void)by;
        assert(wanted > 0 && *why);
        virtual.events[EVENT_SCALED]++;
}

static void virtual_report_cut(struct log *log, const struct record_subject *subject,
                               const struct box *box)
{
        struct process *process = find_process(subject->worker_pid);

        (void)log;
        assert(box && process && process->deaths_told == 0);
        virtual.events[EVENT_DRAIN_TIMEOUT]++;
}

/* Nothing that happens may be what cannot happen. */
static struct worker_step virtual_step(enum worker_state state, enum worker_event event)
{
        struct worker_step step = worker_step(state, event);

        assert(step.action != ACT_BUG);
        return step;
}

#define now_usec()                        virtual_now()
#define sd_event_add_time_relative        virtual_add_time
#define sd_event_source_set_time_relative virtual_set_time
#define sd_event_source_set_enabled       virtual_set_enabled
#define sd_event_source_disable_unref     virtual_unref
#define sd_event_source_unref             virtual_unref
#define sd_event_source_set_priority      virtual_set_priority
#define sd_event_source_send_child_signal virtual_signal
#define sd_event_add_child                virtual_add_child
#define sd_event_add_signal               virtual_add_signal
#define spawn_worker                      virtual_spawn
#define store_new                         virtual_store
#define store_end                         virtual_store_end
#define store_leave                       virtual_store_end
#define box_set_inherited                 virtual_inherit
#define pipe2                             virtual_pipe
#define fcntl                             virtual_fcntl
#define recover                           virtual_recover
#define report                            virtual_report
#define report_cut                        virtual_report_cut
#define report_scaled                     virtual_report_scaled
#define worker_step(state, event)         virtual_step(state, event)

#include "../../service/master/child.c"
#undef ACCURACY_USEC
#include "../../service/master/generation.c"
#undef ACCURACY_USEC
#include "../../service/master/scaling.c"

/* -- what happens next -- */

static sd_event_source *watch_of(pid_t pid)
{
        for (size_t i = 0; i < SOURCES_MAX; i++)
                if (virtual.sources[i].used && virtual.sources[i].pid == pid &&
                    virtual.sources[i].on_death)
                        return &virtual.sources[i];
        return NULL;
}

static void tell_death(struct process *process)
{
        sd_event_source *source = watch_of(process->pid);
        siginfo_t how = {0};

        how.si_pid = process->pid;
        how.si_code = process->signal ? CLD_KILLED : CLD_EXITED;
        how.si_status = process->signal ? process->signal : process->code;
        assert(source && source->enabled);
        source->enabled = false;
        process->death_usec = NEVER;
        process->deaths_told++;
        assert(source->on_death(source, &how, source->data) >= 0);
}

/* What it is about to do, words first. */
static uint64_t *next_deed(struct process *process)
{
        uint64_t *const deeds[] = {&process->ready_usec, &process->stopping_usec,
                                   &process->beat_usec, &process->death_usec};
        uint64_t *first = deeds[0];

        for (size_t i = 1; i < sizeof(deeds) / sizeof(deeds[0]); i++)
                if (*deeds[i] < *first)
                        first = deeds[i];
        return first;
}

static void act(struct process *process, struct generation *generations)
{
        uint64_t *deed = next_deed(process);
        struct child *child = generations_find(generations, process->pid);

        assert(child);
        if (deed == &process->death_usec) {
                tell_death(process);
                return;
        }
        process->last_beat = virtual.now;
        *deed = deed == &process->beat_usec ? virtual.now + process->beats : NEVER;
        if (deed == &process->ready_usec) {
                process->ready = true;
                process->beat_usec = virtual.now + process->beats;
                child_event(child, WORKER_TOLD_READY);
        } else if (deed == &process->stopping_usec) {
                end_process(process, process->drain_usec, 0);
                child_event(child, WORKER_TOLD_STOPPING);
        } else {
                child_event(child, WORKER_TOLD_BEAT);
        }
}

/* Return: the timer that is due first; NULL: a process comes before it, which is @ret. */
static sd_event_source *next_event(struct process **ret, uint64_t *ret_when)
{
        sd_event_source *first = NULL;
        uint64_t when = NEVER;

        *ret = NULL;
        for (size_t i = 0; i < PROCESSES_MAX; i++)
                if (virtual.processes[i].pid && *next_deed(&virtual.processes[i]) < when) {
                        *ret = &virtual.processes[i];
                        when = *next_deed(*ret);
                }
        for (size_t i = 0; i < SOURCES_MAX; i++)
                if (virtual.sources[i].enabled && virtual.sources[i].on_time &&
                    virtual.sources[i].when < when) {
                        first = &virtual.sources[i];
                        when = first->when;
                }
        *ret_when = when;
        return first;
}
