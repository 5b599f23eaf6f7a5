/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker process as the master sees it: its state, its deadlines, and what is done when something
 * happens to it.
 *
 * supervise.h decides; this acts: spawns, signals, arms timers, reports.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "board/board.h"
#include "config/config.h"
#include "worker/tls.h"
#include "worker/wear.h"
#include "log/log.h"
#include "master/listen.h"
#include "master/notify.h"
#include "master/oom.h"
#include "master/recover.h"
#include "master/status.h"
#include "master/store.h"
#include "master/supervise.h"

#define CHILD_SAID_MAX 256

/* A dying worker's last words must find their owner, so they are read before the dead are buried;
 * both come before signals and timers, which have SD_EVENT_PRIORITY_NORMAL. */
enum {
        PRIORITY_WORDS = SD_EVENT_PRIORITY_NORMAL - 2,
        PRIORITY_DEATH = SD_EVENT_PRIORITY_NORMAL - 1,
};

/* What every child needs of the master. */
struct child_host {
        sd_event *event;
        struct log *log;
        const struct listeners *listeners;
        const char *notify_path;
        enum log_target log_target;
        int console;
        struct store *store;
        struct oom *oom;
        struct recoveries *recoveries; /* where the boxes of the dead go */
};

struct child;

/* Who wants to know what becomes of a child. */
struct child_owner {
        void (*ready)(void *data);  /* it serves from now on */
        void (*worn)(void *data);   /* it serves, and asks for a successor */
        void (*leaves)(void *data); /* it lives on but serves no more: a successor is wanted */
        void (*ended)(void *data,
                      const struct child *child); /* its process is gone, it can be used again */
};

struct child {
        const struct child_host *host;
        const struct child_owner *owner;
        void *data; /* the owner's */
        const struct config *config;
        const struct tls *tls; /* may be NULL */
        struct board *board;
        unsigned slot;      /* of the board */
        int orders;         /* of a template: its end of order_socket() while it is forked */
        unsigned n_workers; /* that its generation may have */
        unsigned n_earlier; /* that had its number before */
        enum worker_state state;
        struct record_subject subject;
        struct stored_box stored; /* its black box */
        int printed[2];           /* read ends of its standard output and error */
        bool leaving;             /* it was told to end, or said that it was */
        bool retired;             /* fewer are wanted: it has no successor */
        bool discarded;           /* the master killed it before it served anybody */
        bool killed;              /* the master sent it SIGKILL */
        bool hung;                /* it was silent for too long */
        bool cut; /* the master killed it because its requests took too long to finish */
        enum wear_reason worn; /* why it asked for a successor */
        uint64_t worn_memory;
        uint64_t worn_usec; /* when it did; 0: it has not */
        uint64_t spawned_usec;
        uint64_t ready_usec;          /* when it became so; 0: never */
        struct status_sample sampled; /* by who writes the state to the journal */
        uint64_t rested_usec;         /* of its loop, when it was looked at for the load, at: */
        uint64_t looked_usec;         /* 0: it was not yet */
        siginfo_t end;                /* how it ended */
        sd_event_source *process;     /* its pidfd */
        sd_event_source *silence;     /* fires when it should have said or done something */
        sd_event_source *drain_end;   /* fires when it should have drained */
        char said[CHILD_SAID_MAX];    /* its last STATUS= */
};

/** child_spawn() - fork it; the child's state is EMPTY and its subject has worker_id and
 * generation. Return: 0, or a negative errno. */
int child_spawn(struct child *child);

/** child_order() - order it from a template, its pid is to come; @orders: the master's end of
 * order_socket(). Then child_adopt() or child_discard(). Return: 0, or a negative errno. */
int child_order(struct child *child, int orders, unsigned serial);

/** child_adopt() - this is its process, a child of ours. Return: 0, or a negative errno: its end
 * would go unnoticed. */
int child_adopt(struct child *child, pid_t pid);

/** child_discard() - there will be no process. */
void child_discard(struct child *child);

/** child_is_template() - whether it is no worker, but what workers are forked from. */
bool child_is_template(const struct child *child);

/** child_event() - something happened to it. */
void child_event(struct child *child, enum worker_event event);

/** child_hear() - it told something. @child: NULL: somebody else did, whom an application let have
 * the path of the socket. */
void child_hear(struct child *child, const struct notification *told);

/** child_recycle() - its successor serves: tell of it, and drain it. */
void child_recycle(struct child *child);

/** child_forget() - watch it no longer; what it had in the event loop is given back. */
void child_forget(struct child *child);

/** child_settled() - whether it served for SETTLED_USEC at least. */
bool child_settled(const struct child *child);

/** child_lives() - whether it serves or will: STARTING or READY. */
bool child_lives(const struct child *child);
