/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The actions of the supervision table, done to a process through its pidfd. */
#include "master/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "master/orphans.h"
#include "master/report.h"
#include "master/spawn.h"
#include "template/order.h"

/* A worker ends by itself at the end of graceful_timeout, after it has told of the requests that it
 * cuts. */
#define DRAIN_MARGIN_USEC (2 * USEC_PER_SEC)

/* Timers may be late by this much, so that several fire at once. */
#define ACCURACY_USEC (50 * USEC_PER_MSEC)

/* -- deadlines -- */

static int on_silence(sd_event_source *source, uint64_t usec, void *data)
{
        (void)source;
        (void)usec;
        child_event(data, WORKER_SILENT);
        return 0;
}

static int on_drain_end(sd_event_source *source, uint64_t usec, void *data)
{
        (void)source;
        (void)usec;
        child_event(data, WORKER_OVERDUE);
        return 0;
}

/* Without memory for a timer there is no deadline; the worker itself keeps its own, and systemd
 * that of the service. */
static void arm(struct child *child, sd_event_source **timer, uint64_t usec,
                sd_event_time_handler_t handler)
{
        if (!*timer) {
                (void)sd_event_add_time_relative(child->host->event, timer, CLOCK_MONOTONIC, usec,
                                                 ACCURACY_USEC, handler, child);
                return;
        }
        (void)sd_event_source_set_time_relative(*timer, usec);
        (void)sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

/* -- actions -- */

/* An event about it, where worker and template have one each. */
static enum event event_of(const struct child *child, enum event of_worker, enum event of_template)
{
        return child_is_template(child) ? of_template : of_worker;
}

static void send_signal(struct child *child, int number)
{
        /* Through the pidfd: the pid cannot have become another process's. */
        (void)sd_event_source_send_child_signal(child->process, number, NULL, 0);
}

static void await_ready(struct child *child)
{
        arm(child, &child->silence, child->config->server_start_timeout, on_silence);
}

static void await_beat(struct child *child)
{
        arm(child, &child->silence, child->config->server_watchdog, on_silence);
}

static void serve(struct child *child)
{
        char title[TITLE_MAX];

        child->ready_usec = now_usec();
        child->said[0] = '\0'; /* what it loaded */
        await_beat(child);
        report(child->host->log, event_of(child, EVENT_WORKER_READY, EVENT_TEMPLATE_READY),
               &child->subject, "%s (pid %d) is ready after %llu ms",
               subject_title(title, &child->subject), child->subject.worker_pid,
               (unsigned long long)((child->ready_usec - child->spawned_usec) / USEC_PER_MSEC));
        child->owner->ready(child->data);
}

static void await_drain(struct child *child)
{
        await_beat(child);
        arm(child, &child->drain_end, child->config->server_graceful_timeout + DRAIN_MARGIN_USEC,
            on_drain_end);
        child->owner->leaves(child->data);
}

static void drain(struct child *child)
{
        send_signal(child, SIGTERM);
        await_drain(child);
}

/* SIGABRT for a stack and a core; a stopped process takes it only when it goes on. */
static void send_abort(struct child *child)
{
        send_signal(child, SIGABRT);
        send_signal(child, SIGCONT);
        arm(child, &child->silence, ABORT_GRACE_USEC, on_silence);
}

static void abort_it(struct child *child)
{
        char title[TITLE_MAX];

        report(child->host->log, event_of(child, EVENT_WORKER_HUNG, EVENT_TEMPLATE_HUNG),
               &child->subject, "%s (pid %d) %s, it is aborted%s%s",
               subject_title(title, &child->subject), child->subject.worker_pid,
               child->ready_usec > 0 ? "hangs" : "was not ready in time",
               child->said[0] ? ": " : "", child->said);
        child->hung = true;
        send_abort(child);
        board_slot_clear(board_slot(child->board, child->slot));
        /* One that never served counts as a failed start when it is dead. */
        if (child->ready_usec > 0)
                child->owner->leaves(child->data);
}

static void kill_it(struct child *child)
{
        child->killed = true;
        send_signal(child, SIGKILL);
}

static void cut(struct child *child)
{
        report_cut(child->host->log, &child->subject, child->stored.box);
        child->cut = true;
        send_abort(child);
}

void child_forget(struct child *child)
{
        child->process = sd_event_source_disable_unref(child->process);
        child->silence = sd_event_source_disable_unref(child->silence);
        child->drain_end = sd_event_source_disable_unref(child->drain_end);
}

static bool ran_out_of_memory(const struct child *child)
{
        return !child->killed && child->end.si_code == CLD_KILLED &&
               child->end.si_status == SIGKILL && oom_claim(child->host->oom, now_usec());
}

static void bury(struct child *child)
{
        const struct death death = {
                .subject = child->subject,
                .known = true,
                .how = child->end,
                .leaving = child->leaving,
                .discarded = child->discarded,
                .cut = child->cut,
                .oom = ran_out_of_memory(child),
                .hung = child->hung,
                .age_usec = now_usec() - child->spawned_usec,
        };

        orphans_kill(child->stored.box);
        recover(child->host->recoveries, &child->stored, child->printed, &death);
        child_forget(child);
        board_slot_clear(board_slot(child->board, child->slot));
        child->owner->ended(child->data, child);
}

void child_event(struct child *child, enum worker_event event)
{
        static void (*const actions[])(struct child *) = {
                [ACT_AWAIT_READY] = await_ready,
                [ACT_SERVE] = serve,
                [ACT_AWAIT_BEAT] = await_beat,
                [ACT_DRAIN] = drain,
                [ACT_AWAIT_DRAIN] = await_drain,
                [ACT_ABORT] = abort_it,
                [ACT_KILL] = kill_it,
                [ACT_CUT] = cut,
                [ACT_BURY] = bury,
                [ACT_NOTHING] = NULL,
                [ACT_BUG] = NULL,
        };
        struct worker_step step = worker_step(child->state, event);

        if (child->state == WORKER_STARTING && event == WORKER_STOP)
                child->discarded = true;
        if (step.next == WORKER_DRAINING)
                child->leaving = true;
        if (event == WORKER_QUIT)
                child->cut = true;
        child->state = step.next;
        if (child->stored.box)
                atomic_store(&child->stored.box->header->identity.state, step.next);
        if (actions[step.action])
                actions[step.action](child);
}

/* Time without a beat is given only to one that drains, and never beyond the end of its drain. */
static void extend(struct child *child, uint64_t usec)
{
        uint64_t usual = child->config->server_watchdog;

        if (child->state == WORKER_DRAINING)
                arm(child, &child->silence, usec > usual ? usec : usual, on_silence);
}

/* Said with each beat, until it may go. */
static void wear(struct child *child, enum wear_reason reason, uint64_t memory)
{
        if (child->state != WORKER_READY)
                return;
        if (child->worn_usec == 0)
                child->worn_usec = now_usec();
        child->worn = reason;
        child->worn_memory = memory;
        child->owner->worn(child->data);
}

void child_hear(struct child *child, const struct notification *told)
{
        if (!child)
                return;
        if (told->status)
                (void)snprintf(child->said, sizeof(child->said), "%s", told->status);
        if (told->ready)
                child_event(child, WORKER_TOLD_READY);
        if (told->beat)
                child_event(child, WORKER_TOLD_BEAT);
        if (told->stopping)
                child_event(child, WORKER_TOLD_STOPPING);
        if (told->extend_usec > 0)
                extend(child, told->extend_usec);
        if (told->worn != WEAR_NONE)
                wear(child, told->worn, told->worn_memory);
}

void child_recycle(struct child *child)
{
        const struct board_slot *slot = board_slot(child->board, child->slot);

        report_recycled(child->host->log, &(struct recycled){
                                                  .subject = child->subject,
                                                  .reason = wear_reason_name(child->worn),
                                                  .requests = atomic_load(&slot->requests),
                                                  .memory = child->worn_memory,
                                                  .age_usec = now_usec() - child->spawned_usec,
                                          });
        child_event(child, WORKER_STOP);
}

/* -- life -- */

static int on_process_end(sd_event_source *source, const siginfo_t *how, void *data)
{
        struct child *child = data;

        (void)source;
        child->end = *how;
        child_event(child, WORKER_EXITED);
        return 0;
}

/* Pipes for what it prints: the read ends are the worker's and ours, the write ends go with it. */
static int open_pipes(struct child *child, int prints[static 2])
{
        int pipes[2][2] = {{-1, -1}, {-1, -1}};
        int r = 0;

        for (size_t i = 0; r == 0 && i < 2; i++)
                if (pipe2(pipes[i], O_CLOEXEC) < 0 || fcntl(pipes[i][0], F_SETFL, O_NONBLOCK) < 0)
                        r = -errno;
        for (size_t i = 0; i < 2; i++) {
                child->printed[i] = pipes[i][0];
                prints[i] = pipes[i][1];
        }
        return r;
}

static void close_pair(const int pair[static 2])
{
        close_descriptor(&pair[0]);
        close_descriptor(&pair[1]);
}

static pid_t fork_it(struct child *child, const int prints[static 2])
{
        const struct child_host *host = child->host;
        struct box *box = child->stored.box;
        struct endpoint endpoints[LISTENERS_MAX];
        const struct worker_options options = {
                .config = child->config,
                .board = child->board,
                .slot = child->slot,
                .n_workers = child->n_workers,
                .box = box,
                .box_kept = child->stored.kept,
                .master = getpid(),
                .subject = child->subject,
                .log_target = host->log_target,
                .console = host->console,
                .printed = child->printed,
                .endpoints = endpoints,
                .n_endpoints = host->listeners->n,
                .tls = child->tls,
                .notify_path = host->notify_path,
        };
        pid_t pid;

        for (size_t i = 0; i < host->listeners->n; i++)
                endpoints[i] = host->listeners->list[i].endpoint;
        box_set_inherited(box, true);
        pid = child_is_template(child) ? spawn_template(&options, prints, host->log, child->orders)
                                       : spawn_worker(&options, prints, host->log);
        box_set_inherited(box, false);
        return pid;
}

static void identify(const struct child *child)
{
        struct box_identity *identity = &child->stored.box->header->identity;

        atomic_store(&identity->id, child->subject.worker_id);
        atomic_store(&identity->generation, child->subject.generation);
        atomic_store(&identity->started_usec, child->spawned_usec);
        atomic_store(&identity->pid, child->subject.worker_pid);
}

/* What a process needs before there is one. @prints: the caller closes them. */
static int prepare(struct child *child, int prints[static 2])
{
        const struct box_layout layout = worker_box_layout(child->config);
        int r;

        child->leaving = child->retired = child->discarded = child->cut = false;
        child->killed = child->hung = false;
        child->ready_usec = child->worn_usec = child->looked_usec = 0;
        child->worn = WEAR_NONE;
        child->said[0] = '\0';
        child->spawned_usec = now_usec();
        r = store_new(child->host->store, &layout, &child->stored);
        if (r < 0)
                return r;
        r = open_pipes(child, prints);
        if (r < 0) {
                close_pair(prints);
                child_discard(child);
        }
        return r;
}

void child_discard(struct child *child)
{
        close_pair(child->printed);
        store_end(&child->stored);
}

int child_adopt(struct child *child, pid_t pid)
{
        char title[TITLE_MAX];
        int r;

        child->subject.worker_pid = pid;
        identify(child);
        r = sd_event_add_child(child->host->event, &child->process, pid, WEXITED, on_process_end,
                               child);
        if (r < 0)
                return r;
        (void)sd_event_source_set_priority(child->process, PRIORITY_DEATH);
        report(child->host->log, event_of(child, EVENT_WORKER_STARTED, EVENT_TEMPLATE_STARTED),
               &child->subject, "%s (pid %d) started", subject_title(title, &child->subject), pid);
        child_event(child, WORKER_SPAWNED);
        return 0;
}

int child_spawn(struct child *child)
{
        int prints[2];
        pid_t pid;
        int r = prepare(child, prints);

        if (r < 0)
                return r;
        pid = fork_it(child, prints);
        close_pair(prints);
        if (pid < 0) {
                child_discard(child);
                return pid;
        }
        r = child_adopt(child, pid);
        if (r < 0) {
                /* Nobody would notice its death. */
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                child_discard(child);
        }
        return r;
}

int child_order(struct child *child, int orders, unsigned serial)
{
        struct order order = {
                .serial = serial,
                .worker_id = child->subject.worker_id,
                .slot = child->slot,
                .n_workers = child->n_workers,
        };
        int prints[2];
        int r = prepare(child, prints);

        if (r < 0)
                return r;
        order.box_kept = child->stored.kept;
        r = order_send(orders, &order,
                       (const int[ORDER_FDS]){child->stored.box->fd, child->printed[0],
                                              child->printed[1], prints[0], prints[1]});
        close_pair(prints);
        if (r < 0)
                child_discard(child);
        return r;
}

bool child_is_template(const struct child *child)
{
        return child->subject.worker_id == 0;
}

bool child_lives(const struct child *child)
{
        return child->state == WORKER_STARTING || child->state == WORKER_READY;
}

bool child_settled(const struct child *child)
{
        return child->ready_usec > 0 && now_usec() - child->ready_usec >= SETTLED_USEC;
}
