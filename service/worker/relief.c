/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each worker publishes how much work it has, and compares that with the mean. */
#include "worker/relief.h"

#include <time.h>

#include "base/clock.h"

#define LOOK_USEC (500 * USEC_PER_MSEC)

/* Busy now is not busy for long: so many looks in a row. */
#define LOOKS_AHEAD 3

/* Work in thousandths of a processor or of a thread. By how much there may be more of it here than
 * the mean, so that chance moves nobody, and what nobody is relieved of. */
#define WORK_FRACTION 4
#define WORK_MIN      200

static uint64_t processor_usec(void)
{
        struct timespec used;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        return (uint64_t)used.tv_sec * USEC_PER_SEC + (uint64_t)used.tv_nsec / 1000;
}

void relief_init(struct relief *relief, struct board *board, struct board_slot *slot, uint64_t now)
{
        *relief = (struct relief){
                .board = board,
                .slot = slot,
                .looked = now,
                .processor_usec = processor_usec(),
                .span = 1,
        };
}

void relief_handled(struct relief *relief, uint64_t usec)
{
        relief->handled_usec += usec;
}

void relief_answered(struct relief *relief, unsigned *span)
{
        if (*span == relief->span)
                return;
        *span = relief->span;
        relief->active++;
}

/* Those that were busy in this span or in the last one are those that make the work. */
bool relief_ends(struct relief *relief, unsigned span)
{
        if (relief->excess == 0 || span == 0 || relief->span - span > 1)
                return false;
        relief->excess--;
        return true;
}

static uint32_t work_of(const struct board_slot *slot)
{
        return atomic_load_explicit(&slot->work, memory_order_relaxed);
}

/* Of the workers that accept, this one included; 0 when it is the only one. */
static uint32_t mean_work(const struct relief *relief)
{
        uint64_t sum = 0;
        unsigned n = 0;

        for (unsigned i = 0; i < board_n_slots(relief->board); i++) {
                const struct board_slot *slot = board_slot(relief->board, i);

                if (atomic_load_explicit(&slot->accepting, memory_order_relaxed) == 0)
                        continue;
                sum += work_of(slot);
                n++;
        }
        return n > 1 ? (uint32_t)(sum / n) : 0;
}

/* How many of the active connections are more than this worker's share, if they are all alike. */
static unsigned surplus(const struct relief *relief, uint32_t own, uint32_t mean)
{
        if (mean == 0 || own < WORK_MIN || own - own / (WORK_FRACTION + 1) < mean)
                return 0;
        return (unsigned)((uint64_t)relief->active * (own - mean) / own);
}

/* Half of them at a time: the others do the same, and what moves has its effect later. */
static void compare(struct relief *relief)
{
        uint32_t own = work_of(relief->slot);
        unsigned more = surplus(relief, own, mean_work(relief));

        relief->ahead = more > 0 ? relief->ahead + 1 : 0;
        relief->excess = relief->ahead >= LOOKS_AHEAD ? (more + 1) / 2 : 0;
        atomic_store_explicit(&relief->slot->relieved, relief->excess > 0, memory_order_relaxed);
}

void relief_turn(struct relief *relief, uint64_t now)
{
        uint64_t used, taken = now - relief->looked;

        if (taken < LOOK_USEC)
                return;
        used = processor_usec();
        atomic_store_explicit(
                &relief->slot->work,
                (uint32_t)((used - relief->processor_usec + relief->handled_usec) * 1000 / taken),
                memory_order_relaxed);
        compare(relief);
        relief->looked = now;
        relief->processor_usec = used;
        relief->handled_usec = 0;
        relief->active = 0;
        relief->span++;
}

/* A number that is not true any more would mislead the others. */
uint64_t relief_wake_usec(const struct relief *relief)
{
        return work_of(relief->slot) > 0 ? relief->looked + LOOK_USEC : USEC_NEVER;
}
