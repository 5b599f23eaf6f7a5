/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a worker as one table: rows are states, columns are events. */
#include "master/supervise.h"

#define BACKOFF_FIRST_USEC ((uint64_t)100000)
#define BACKOFF_MAX_USEC   ((uint64_t)10000000)

static const struct worker_step table[WORKER_STATES_MAX][WORKER_EVENTS_MAX] =
        {
                [WORKER_EMPTY] =
                        {
                                [WORKER_SPAWNED] = {WORKER_STARTING, ACT_AWAIT_READY},
                                [WORKER_TOLD_READY] = {WORKER_EMPTY, ACT_BUG},
                                [WORKER_TOLD_BEAT] = {WORKER_EMPTY, ACT_BUG},
                                [WORKER_TOLD_STOPPING] = {WORKER_EMPTY, ACT_BUG},
                                [WORKER_SILENT] = {WORKER_EMPTY, ACT_BUG},
                                [WORKER_OVERDUE] = {WORKER_EMPTY, ACT_BUG},
                                [WORKER_STOP] = {WORKER_EMPTY, ACT_NOTHING},
                                [WORKER_QUIT] = {WORKER_EMPTY, ACT_NOTHING},
                                [WORKER_EXITED] = {WORKER_EMPTY, ACT_BUG},
                        },
                [WORKER_STARTING] =
                        {
                                [WORKER_SPAWNED] = {WORKER_STARTING, ACT_BUG},
                                [WORKER_TOLD_READY] = {WORKER_READY, ACT_SERVE},
                                [WORKER_TOLD_BEAT] = {WORKER_STARTING, ACT_NOTHING},
                                [WORKER_TOLD_STOPPING] = {WORKER_DRAINING, ACT_AWAIT_DRAIN},
                                [WORKER_SILENT] = {WORKER_ABORTED, ACT_ABORT},
                                [WORKER_OVERDUE] = {WORKER_STARTING, ACT_BUG},
                                /* It serves nobody, so there is nothing to wait for. */
                                [WORKER_STOP] = {WORKER_DRAINING, ACT_KILL},
                                [WORKER_QUIT] = {WORKER_ABORTED, ACT_KILL},
                                [WORKER_EXITED] = {WORKER_EMPTY, ACT_BURY},
                        },
                [WORKER_READY] =
                        {
                                [WORKER_SPAWNED] = {WORKER_READY, ACT_BUG},
                                [WORKER_TOLD_READY] = {WORKER_READY, ACT_NOTHING},
                                [WORKER_TOLD_BEAT] = {WORKER_READY, ACT_AWAIT_BEAT},
                                [WORKER_TOLD_STOPPING] = {WORKER_DRAINING, ACT_AWAIT_DRAIN},
                                [WORKER_SILENT] = {WORKER_ABORTED, ACT_ABORT},
                                [WORKER_OVERDUE] = {WORKER_READY, ACT_BUG},
                                [WORKER_STOP] = {WORKER_DRAINING, ACT_DRAIN},
                                [WORKER_QUIT] = {WORKER_ABORTED, ACT_KILL},
                                [WORKER_EXITED] = {WORKER_EMPTY, ACT_BURY},
                        },
                [WORKER_DRAINING] =
                        {
                                [WORKER_SPAWNED] = {WORKER_DRAINING, ACT_BUG},
                                [WORKER_TOLD_READY] = {WORKER_DRAINING, ACT_NOTHING},
                                [WORKER_TOLD_BEAT] = {WORKER_DRAINING, ACT_AWAIT_BEAT},
                                [WORKER_TOLD_STOPPING] = {WORKER_DRAINING, ACT_NOTHING},
                                [WORKER_SILENT] = {WORKER_ABORTED, ACT_ABORT},
                                [WORKER_OVERDUE] = {WORKER_ABORTED, ACT_CUT},
                                [WORKER_STOP] = {WORKER_DRAINING, ACT_NOTHING},
                                [WORKER_QUIT] = {WORKER_ABORTED, ACT_KILL},
                                [WORKER_EXITED] = {WORKER_EMPTY, ACT_BURY},
                        },
                [WORKER_ABORTED] =
                        {
                                [WORKER_SPAWNED] = {WORKER_ABORTED, ACT_BUG},
                                [WORKER_TOLD_READY] = {WORKER_ABORTED, ACT_NOTHING},
                                [WORKER_TOLD_BEAT] = {WORKER_ABORTED, ACT_NOTHING},
                                [WORKER_TOLD_STOPPING] = {WORKER_ABORTED, ACT_NOTHING},
                                [WORKER_SILENT] = {WORKER_ABORTED, ACT_KILL},
                                /* Its time for dying has begun. */
                                [WORKER_OVERDUE] = {WORKER_ABORTED, ACT_NOTHING},
                                [WORKER_STOP] = {WORKER_ABORTED, ACT_NOTHING},
                                [WORKER_QUIT] = {WORKER_ABORTED, ACT_KILL},
                                [WORKER_EXITED] = {WORKER_EMPTY, ACT_BURY},
                        },
};

static const char *const state_names[WORKER_STATES_MAX] = {
        [WORKER_EMPTY] = "empty",       [WORKER_STARTING] = "starting", [WORKER_READY] = "ready",
        [WORKER_DRAINING] = "draining", [WORKER_ABORTED] = "aborted",
};

struct worker_step worker_step(enum worker_state state, enum worker_event event)
{
        return table[state][event];
}

const char *worker_state_name(enum worker_state state)
{
        return state_names[state];
}

uint64_t backoff_usec(unsigned failures)
{
        uint64_t usec = BACKOFF_FIRST_USEC;

        while (failures > 1 && usec < BACKOFF_MAX_USEC) {
                usec *= 2;
                failures--;
        }
        return usec < BACKOFF_MAX_USEC ? usec : BACKOFF_MAX_USEC;
}

enum generation_verdict generation_judge(const struct generation_loss *loss)
{
        if (loss->phase == GENERATION_DRAINING)
                return VERDICT_NOTHING;
        /* The first of those that were ready is replaced at once, whenever it ended. */
        if (loss->phase == GENERATION_SERVING)
                return loss->was_ready && loss->failures <= 1 ? VERDICT_RESPAWN
                                                              : VERDICT_RESPAWN_LATER;
        /* A request may have killed it, or somebody; but not over and over. */
        if (loss->was_ready && loss->failures < START_FAILURES_MAX)
                return VERDICT_RESPAWN;
        if (loss->older_serves)
                return VERDICT_REFUSE;
        if (loss->config_error)
                return VERDICT_FAIL_CONFIG;
        return loss->failures >= START_FAILURES_MAX ? VERDICT_FAIL : VERDICT_RESPAWN_LATER;
}

static bool before(const struct recycle_candidate *one, const struct recycle_candidate *other)
{
        return !other || one->worn_usec < other->worn_usec;
}

/* Somebody that has not asked for a successor himself. */
static bool has_successor(const struct recycle_candidate *candidates, size_t n, unsigned id)
{
        for (size_t i = 0; i < n; i++)
                if (candidates[i].id == id && candidates[i].worn_usec == 0 &&
                    (candidates[i].state == WORKER_STARTING || candidates[i].state == WORKER_READY))
                        return true;
        return false;
}

int recycle_choose(const struct recycle_candidate *candidates, size_t n, unsigned n_workers)
{
        const struct recycle_candidate *chosen = NULL, *urgent = NULL;
        unsigned ready = 0, others = 0;

        for (size_t i = 0; i < n; i++) {
                const struct recycle_candidate *one = &candidates[i];

                ready += one->state == WORKER_READY;
                others += one->state != WORKER_READY && one->state != WORKER_EMPTY;
                if (one->state != WORKER_READY || !one->settled || one->worn_usec == 0)
                        continue;
                if (before(one, chosen))
                        chosen = one;
                if (one->urgent && before(one, urgent) && !has_successor(candidates, n, one->id))
                        urgent = one;
        }
        if (urgent)
                return (int)(urgent - candidates);
        return chosen && ready == n_workers && others == 0 ? (int)(chosen - candidates) : -1;
}
