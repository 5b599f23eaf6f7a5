/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A score that long jobs raise and short ones lower, so that a slow request now and then does not
 * make a lane slow. One that was is tried again after a while: its first long job makes it slow
 * again. A thread that the kernel kept from running says nothing about the job.
 *
 * Jobs may exclude each other, as those of one Python interpreter do: beside one that runs, the
 * next one takes long because it waits. So a lane is held for a moment, until none of its jobs
 * runs, when a job has outlasted the leader's patience (often the kernel has only kept it from
 * running), and before it is tried again. Without it a lane under load that was slow once stayed
 * so: 3 context switches a request of Flask.
 */
#include "worker/lane.h"

/* Beyond it the 10 us that another thread costs are little beside what others wait for the loop. */
#define SHORT_USEC 400

#define SCORE_SLOW  64 /* and above */
#define SCORE_LONG  8
#define SCORE_OVER  24
#define SCORE_AGAIN (SCORE_SLOW - SCORE_OVER)

bool lane_has_room(const struct lane *lane)
{
        return lane->running < lane->limit;
}

static void make_slow(struct lane *lane, uint64_t now)
{
        lane->settles = false;
        lane->slow_until = now + LANE_SLOW_USEC;
}

static void settle(struct lane *lane, uint64_t now)
{
        lane->settles = true;
        lane->slow_until = 0;
        lane->hold_until = now + LANE_HOLD_USEC;
}

enum lane_pace lane_pace(struct lane *lane, uint64_t now)
{
        if (now < lane->slow_until)
                return LANE_SLOW;
        if (lane->running == 0) {
                lane->settles = false;
                lane->slow_until = lane->hold_until = 0;
                return LANE_SHORT;
        }
        if (lane->slow_until > 0)
                settle(lane, now);
        if (now < lane->hold_until)
                return LANE_HELD;
        if (lane->settles)
                make_slow(lane, now);
        return lane->slow_until > 0 ? LANE_SLOW : LANE_SHORT;
}

static void raise_score(struct lane *lane, unsigned by, uint64_t now)
{
        lane->score += by;
        if (lane->score < SCORE_SLOW)
                return;
        lane->score = SCORE_AGAIN;
        make_slow(lane, now);
}

bool lane_is_long(uint64_t usec)
{
        return usec > SHORT_USEC;
}

void lane_took(struct lane *lane, uint64_t usec, uint64_t now)
{
        if (lane_is_long(usec))
                raise_score(lane, SCORE_LONG, now);
        else if (lane->score > 0)
                lane->score--;
}

void lane_outlasts(struct lane *lane, uint64_t now)
{
        raise_score(lane, SCORE_OVER, now);
        lane->hold_until = now + LANE_HOLD_USEC;
}

void lane_excuse(struct lane *lane)
{
        lane->score -= lane->score < SCORE_OVER ? lane->score : SCORE_OVER;
        if (lane->score < SCORE_AGAIN)
                lane->slow_until = 0;
}
