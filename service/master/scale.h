/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many workers are wanted, as pure code: bounds, what was seen of the load, and what a signal
 * asked for.
 *
 * No system call, no clock: time comes in with each observation. It grows while nearly all threads
 * are busy and requests wait, or while no worker's loop has a pause and there are processors for
 * more (what is short runs there and queues nowhere that could be seen); it shrinks after a time in
 * which the others would not have been half busy; between these two lies all that must not move it.
 * A number that was given up too soon makes it wait longer the next time, so a load that comes and
 * goes is followed only where it is slow.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How often the load is looked at. */
#define SCALE_LOOK_USEC ((uint64_t)250000)

struct scale_bounds {
        unsigned first; /* how many there are at first */
        unsigned min;
        unsigned max;
        unsigned processors; /* more busy loops than that are in each other's way */
        bool follows_load;   /* else only signals change the number */
        uint64_t calm_usec;  /* so long without need for a worker, and there is one fewer */
};

/** scale_bounds() - what `workers` and `shrink_after` mean on so many processors. A fixed number
 * may be changed by signals, from 1 to twice as many, or eight more where that is more. */
struct scale_bounds scale_bounds(uint32_t workers, uint64_t shrink_after, unsigned cpus);

struct scale {
        struct scale_bounds bounds;
        unsigned wanted;
        uint64_t seen_usec;  /* 0: nothing yet */
        double pressure;     /* of late: share of the time in which threads were missing */
        double busy, queued; /* of late */
        double loops;        /* of late: so many would be enough if they had no pause */
        double capacity;     /* threads that are busy in a worker where requests wait; 0: unknown */
        uint64_t calm_since; /* 0: it is not calm */
        uint64_t calm_usec;  /* how long it must be */
        uint64_t shrank_usec;
        bool shrank; /* the last change was to fewer, because of the load */
};

/* What is seen of the workers that are READY. */
struct scale_observation {
        uint64_t now_usec;
        unsigned serving;   /* how many these are */
        unsigned processes; /* of any state */
        unsigned threads;   /* of each worker */
        unsigned busy;      /* threads */
        unsigned queued;    /* requests that wait for a thread */
        unsigned full;      /* workers where such ones are */
        unsigned full_busy; /* threads that are busy there */
        double loops;       /* the sum of the shares of their time in which loops did not wait */
};

/** scale_has_no_pause() - whether the loops of all workers had hardly any. */
bool scale_has_no_pause(const struct scale_observation *seen);

/** scale_init() - @wanted: taken as near as the bounds allow. */
void scale_init(struct scale *scale, const struct scale_bounds *bounds, unsigned wanted);

/** scale_observe() - what follows from it for scale->wanted. Return: by how much that changed. */
int scale_observe(struct scale *scale, const struct scale_observation *seen);

/** scale_shift() - one more or one fewer was asked for; with a load that is followed it decides
 * again from there. @processes: of any state. Return: by how much scale->wanted changed. */
int scale_shift(struct scale *scale, int by, unsigned processes);
