/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Supervision as pure code: what follows from what happens to a worker, and how long to wait after
 * failures.
 *
 * No system call, no clock, no logging: the master asks here and acts on the answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum worker_state {
        WORKER_EMPTY,    /* no process */
        WORKER_STARTING, /* forked, loads its applications */
        WORKER_READY,    /* serves */
        WORKER_DRAINING, /* finishes what it has begun */
        WORKER_ABORTED,  /* was sent SIGABRT or SIGKILL and is not dead yet */
        WORKER_STATES_MAX
};

enum worker_event {
        WORKER_SPAWNED,       /* its process was forked */
        WORKER_TOLD_READY,    /* READY=1 */
        WORKER_TOLD_BEAT,     /* WATCHDOG=1 */
        WORKER_TOLD_STOPPING, /* STOPPING=1: it was told to end by somebody else */
        WORKER_SILENT,  /* no READY=1 within start_timeout, no beat within watchdog, or no death
                           within the grace after SIGABRT */
        WORKER_OVERDUE, /* not drained within graceful_timeout */
        WORKER_STOP,    /* the master wants it to end */
        WORKER_QUIT,    /* the master wants it gone now */
        WORKER_EXITED,  /* its process has ended */
        WORKER_EVENTS_MAX
};

enum worker_action {
        ACT_NOTHING,
        ACT_AWAIT_READY, /* the time for loading begins */
        ACT_SERVE,       /* it is ready: its watchdog begins */
        ACT_AWAIT_BEAT,  /* its watchdog begins anew */
        ACT_DRAIN,       /* SIGTERM; the time for the drain begins */
        ACT_AWAIT_DRAIN, /* it drains already; the time for it begins */
        ACT_ABORT,       /* SIGABRT; the time for dying begins */
        ACT_KILL,        /* SIGKILL */
        ACT_CUT,         /* tell of the requests that are cut, and as ACT_ABORT */
        ACT_BURY,        /* tell of the death */
        ACT_BUG,         /* cannot happen */
};

struct worker_step {
        enum worker_state next;
        enum worker_action action;
};

/** worker_step() - the state that follows, and what is to be done. */
struct worker_step worker_step(enum worker_state state, enum worker_event event);

/** worker_state_name() - "ready". */
const char *worker_state_name(enum worker_state state);

/* How long a worker may take to die after SIGABRT: the kernel writes a core file meanwhile. */
#define ABORT_GRACE_USEC ((uint64_t)5000000)

/* A worker that ends sooner after READY=1 than this has failed like one that was never ready: what
 * crashes as soon as it serves must not keep the machine busy with forking. */
#define SETTLED_USEC ((uint64_t)1000000)

/* So many tries may fail until a generation that was never complete is given up. */
#define START_FAILURES_MAX 5

/** backoff_usec() - how long to wait after the @failures-th failed try in a row (1: the first): 100
 * ms, doubling, at most 10 s. */
uint64_t backoff_usec(unsigned failures);

enum generation_phase {
        GENERATION_STARTING, /* not all of its workers have been ready yet */
        GENERATION_SERVING,
        GENERATION_DRAINING, /* a newer one has taken over, it was given up, or the service stops */
};

enum generation_verdict {
        VERDICT_RESPAWN,       /* start another worker at once */
        VERDICT_RESPAWN_LATER, /* after a pause */
        VERDICT_REFUSE,        /* give the generation up, the older one goes on */
        VERDICT_FAIL_CONFIG,   /* the service cannot start: configuration */
        VERDICT_FAIL,          /* the service cannot start: whatever it is */
        VERDICT_NOTHING,
};

/* What is known when a worker has ended. */
struct generation_loss {
        enum generation_phase phase;
        bool older_serves; /* an older generation serves meanwhile */
        bool was_ready;    /* the worker had been ready */
        bool config_error; /* it ended with EXIT_CODE_CONFIG */
        unsigned failures; /* failed tries in a row, this one included; 0: it had settled */
};

/** generation_judge() - what the end of one worker means for its generation. */
enum generation_verdict generation_judge(const struct generation_loss *loss);

/* One process of a generation, when it is asked whose successor may start. */
struct recycle_candidate {
        enum worker_state state;
        unsigned id;
        bool settled;
        bool urgent;        /* it is lost for a part */
        uint64_t worn_usec; /* when it asked for a successor; 0: it has not */
};

/**
 * recycle_choose() - whose successor may be started now
 * @n_workers: that the generation shall have
 *
 * One at a time, who asked first: only when all workers serve and none is starting, draining or
 * dying. Those that are urgent wait for nobody. Return: its index, or -1: nobody's.
 */
int recycle_choose(const struct recycle_candidate *candidates, size_t n, unsigned n_workers);
