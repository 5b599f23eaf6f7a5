/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two smoothed numbers, two thresholds far apart, and a patience that learns. */
#include "master/scale.h"

#include "config/config.h"

/* How fast what was seen is forgotten. A burst that is over sooner is what queues are for. */
#define MEMORY_USEC ((uint64_t)3000000)

/* While nobody looked so long, anything may have been. */
#define GAP_USEC (8 * SCALE_LOOK_USEC)

/* Threads are missing for so much of the time: one more. From nothing this takes four seconds. */
#define PRESSURE_TO_GROW 0.75

/* A loop that waits less than the rest of its time is busy whenever it is looked at. */
#define SHARE_OF_BUSY_LOOPS 0.9

/* At most so much of their threads, and of their loops' time, would the others use. */
#define SHARE_TO_SHRINK 0.5
#define NOTHING         0.05

/* An application that takes one request at a time is at its limit with many threads idle: that is
 * seen where requests wait, in a few looks. */
#define CAPACITY_WEIGHT 0.2

/* A quarter more at a time, so that many workers grow as fast as few. */
#define STEP_FRACTION 4

/* A further worker less after a part of the time that the first one takes, and the longest time. */
#define CALM_STEPS      6
#define CALM_MAX_FACTOR 32

/* A worker that is missed within so many times the patience was given up too soon. */
#define REGRET_FACTOR 10

#define ROOM_FACTOR 2
#define ROOM_LEAST  8

static unsigned between(unsigned least, unsigned number, unsigned most)
{
        if (number < least)
                return least;
        return number < most ? number : most;
}

struct scale_bounds scale_bounds(uint32_t workers, uint64_t shrink_after, unsigned cpus)
{
        unsigned first = workers_min(workers), most = workers_max(workers), room;

        if (most > 0)
                return (struct scale_bounds){.first = first,
                                             .min = first,
                                             .max = most,
                                             .processors = cpus,
                                             .follows_load = true,
                                             .calm_usec = shrink_after};
        if (first == 0)
                first = cpus;
        room = ROOM_FACTOR * first > first + ROOM_LEAST ? ROOM_FACTOR * first : first + ROOM_LEAST;
        return (struct scale_bounds){.first = first,
                                     .min = 1,
                                     .max = first > WORKERS_MAX ? first
                                                                : between(1, room, WORKERS_MAX)};
}

void scale_init(struct scale *scale, const struct scale_bounds *bounds, unsigned wanted)
{
        *scale = (struct scale){
                .bounds = *bounds,
                .wanted = between(bounds->min, wanted, bounds->max),
                .calm_usec = bounds->calm_usec,
        };
}

/* What was seen belongs to the number that there was. */
static void forget(struct scale *scale)
{
        scale->pressure = 0;
        scale->calm_since = 0;
        scale->seen_usec = 0;
}

static void set_wanted(struct scale *scale, unsigned wanted)
{
        scale->wanted = wanted;
        forget(scale);
}

/* One that drains is still there, and is not worth a process above MAX + 1. */
static unsigned room_for(const struct scale *scale, unsigned processes)
{
        unsigned most = scale->bounds.max + 1;
        unsigned room = processes < most ? most - processes : 0;
        unsigned missing = scale->bounds.max - scale->wanted;

        return missing < room ? missing : room;
}

static void smooth(double *mean, double value, double weight)
{
        *mean += (value - *mean) * weight;
}

/* Of workers where nothing waits. */
static double idle_threads(const struct scale *scale, const struct scale_observation *seen)
{
        return scale->capacity * (seen->serving - seen->full) - (seen->busy - seen->full_busy);
}

bool scale_has_no_pause(const struct scale_observation *seen)
{
        return seen->serving > 0 && seen->loops >= SHARE_OF_BUSY_LOOPS * seen->serving;
}

static bool is_short_of(const struct scale *scale, const struct scale_observation *seen)
{
        return seen->queued > idle_threads(scale, seen) ||
               (scale_has_no_pause(seen) && scale->wanted < scale->bounds.processors);
}

static void take_in(struct scale *scale, const struct scale_observation *seen)
{
        uint64_t since = scale->seen_usec ? seen->now_usec - scale->seen_usec : SCALE_LOOK_USEC;
        double weight;

        if (since > GAP_USEC) {
                since = SCALE_LOOK_USEC;
                scale->calm_since = 0;
        }
        weight = (double)since / (double)(since + MEMORY_USEC);
        if (scale->capacity <= 0)
                scale->capacity = seen->threads;
        if (seen->full > 0)
                smooth(&scale->capacity, (double)seen->full_busy / seen->full, CAPACITY_WEIGHT);
        smooth(&scale->pressure, is_short_of(scale, seen), weight);
        smooth(&scale->busy, seen->busy, weight);
        smooth(&scale->queued, seen->queued, weight);
        smooth(&scale->loops, seen->loops, weight);
        scale->seen_usec = seen->now_usec;
}

static bool is_calm(const struct scale *scale)
{
        double others = scale->wanted - 1, threads = scale->capacity * others;

        return scale->busy + scale->queued <= SHARE_TO_SHRINK * threads + NOTHING &&
               scale->loops <= SHARE_TO_SHRINK * others + NOTHING;
}

/* The first step up after steps down says whether those were worth it. */
static void learn(struct scale *scale, uint64_t now)
{
        if (!scale->shrank)
                return;
        scale->shrank = false;
        if (now - scale->shrank_usec >= REGRET_FACTOR * scale->calm_usec) {
                if (scale->calm_usec > scale->bounds.calm_usec)
                        scale->calm_usec /= 2;
        } else if (scale->calm_usec < CALM_MAX_FACTOR * scale->bounds.calm_usec) {
                scale->calm_usec *= 2;
        }
}

static int grow(struct scale *scale, const struct scale_observation *seen)
{
        unsigned more = between(1, scale->wanted / STEP_FRACTION, scale->bounds.max);
        unsigned room = room_for(scale, seen->processes);

        if (more > room)
                more = room;
        if (more == 0)
                return 0;
        learn(scale, seen->now_usec);
        set_wanted(scale, scale->wanted + more);
        return (int)more;
}

/* It stays calm from the last step on; the next one comes sooner. */
static int shrink(struct scale *scale, uint64_t now)
{
        set_wanted(scale, scale->wanted - 1);
        scale->seen_usec = now;
        scale->calm_since = now - scale->calm_usec + scale->calm_usec / CALM_STEPS;
        scale->shrank = true;
        scale->shrank_usec = now;
        return -1;
}

int scale_observe(struct scale *scale, const struct scale_observation *seen)
{
        if (!scale->bounds.follows_load)
                return 0;
        /* One that is missing will come; what it is like without it says nothing. */
        if (seen->serving < scale->wanted) {
                forget(scale);
                return 0;
        }
        take_in(scale, seen);
        if (scale->pressure >= PRESSURE_TO_GROW && scale->wanted < scale->bounds.max)
                return grow(scale, seen);
        if (scale->wanted == scale->bounds.min || !is_calm(scale)) {
                scale->calm_since = 0;
                return 0;
        }
        if (scale->calm_since == 0)
                scale->calm_since = seen->now_usec;
        return seen->now_usec - scale->calm_since < scale->calm_usec
                       ? 0
                       : shrink(scale, seen->now_usec);
}

int scale_shift(struct scale *scale, int by, unsigned processes)
{
        if (by > 0 ? room_for(scale, processes) == 0 : scale->wanted == scale->bounds.min)
                return 0;
        set_wanted(scale, by > 0 ? scale->wanted + 1 : scale->wanted - 1);
        scale->shrank = false;
        return by > 0 ? 1 : -1;
}
