/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A score that long jobs raise and short ones lower, so that neither a slow request now and then
 * nor a thread that the kernel kept from running makes a lane slow. One that was is tried again
 * after a while: its first long job makes it slow again.
 */
#include "worker/lane.h"

/* Beyond it the 10 us that another thread costs are little beside what others wait for the loop. */
#define SHORT_USEC 200

#define SCORE_SLOW  64 /* and above */
#define SCORE_LONG  8
#define SCORE_OVER  24
#define SCORE_AGAIN (SCORE_SLOW - SCORE_OVER)

bool lane_has_room(const struct lane *lane)
{
        return lane->running < lane->limit;
}

bool lane_is_short(const struct lane *lane, uint64_t now)
{
        return now >= lane->slow_until;
}

static void raise_score(struct lane *lane, unsigned by, uint64_t now)
{
        lane->score += by;
        if (lane->score < SCORE_SLOW)
                return;
        lane->score = SCORE_AGAIN;
        lane->slow_until = now + LANE_SLOW_USEC;
}

void lane_took(struct lane *lane, uint64_t usec, uint64_t now)
{
        if (usec > SHORT_USEC)
                raise_score(lane, SCORE_LONG, now);
        else if (lane->score > 0)
                lane->score--;
}

void lane_overran(struct lane *lane, uint64_t now)
{
        raise_score(lane, SCORE_OVER, now);
}
