/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A generation: the workers of one configuration, from their first fork to the death of the last.
 *
 * A reload makes a new one beside the old. Keeps itself complete: what dies is replaced, at once or
 * after a pause.
 */
#pragma once

#include "board/board.h"
#include "master/child.h"
#include "master/preload.h"
#include "master/scale.h"
#include "master/setup.h"
#include "master/supervise.h"

struct generation;

/* Who wants to know what becomes of a generation. */
struct generation_owner {
        struct child_host host;
        void *data;
        void (*ready)(void *data,
                      struct generation *generation); /* all of it is ready, for the first time */
        /* It cannot become ready; @last ended last. @verdict: REFUSE, FAIL or FAIL_CONFIG. */
        void (*failed)(void *data, struct generation *generation, enum generation_verdict verdict,
                       const struct child *last);
};

struct generation {
        struct generation *next; /* the owner's list */
        const struct generation_owner *owner;
        unsigned number;
        enum generation_phase phase;
        bool older_serves;
        struct setup setup;
        struct board *board;
        struct scale scale;  /* how many workers are wanted */
        unsigned n_restarts; /* workers that took the place of one that ended or had to */
        unsigned failures;   /* failed tries in a row */
        sd_event_source *retry;
        struct preload *preload; /* NULL: each worker loads the applications itself */
        unsigned *started;       /* of each number, how many times; up to bounds.max of them */
        size_t n_children; /* room for the successors of those that are aborted and not dead yet */
        struct child children[];
};

/**
 * generation_new() - a generation without workers yet
 * @ret:    freed with generation_free(); untouched on failure
 * @owner:  borrowed
 * @setup:  taken over on success
 *
 * Return: 0, or -ENOMEM.
 */
int generation_new(struct generation **ret, const struct generation_owner *owner, unsigned number,
                   const struct setup *setup);

/** generation_succeed() - begin with as many workers as an older one has, where the load decides.
 */
void generation_succeed(struct generation *generation, const struct generation *older);

/** generation_resize() - scale.wanted has changed: start those that are missing, drain those that
 * are too many. */
void generation_resize(struct generation *generation);

/** generation_free() - free one; processes that it still has are not watched any more. Accepts
 * NULL. */
void generation_free(struct generation *generation);

/** generation_fill() - start the workers that are missing, unless it drains or waits for a retry.
 */
void generation_fill(struct generation *generation);

/** generation_stop() - drain all of it; it is never filled again. */
void generation_stop(struct generation *generation);

/** generation_quit() - kill all of it; after generation_stop(). */
void generation_quit(struct generation *generation);

/** generation_find() - the child of a pid, NULL when it has none. */
struct child *generation_find(struct generation *generation, pid_t pid);

/** generations_find() - the same in a list of them. */
struct child *generations_find(struct generation *first, pid_t pid);

/** generation_serving() - workers that are READY; generation_living() - those that start, too;
 * generation_processes() - processes of any state. */
unsigned generation_serving(const struct generation *generation);
unsigned generation_living(const struct generation *generation);
unsigned generation_processes(const struct generation *generation);

/** generation_loads() - what one of those that start has said last; "": nothing. */
const char *generation_loads(const struct generation *generation);

/** generations_in_time() - whether some worker of some generation starts or drains within its time
 * limit, or will be tried again. */
bool generations_in_time(const struct generation *first);
