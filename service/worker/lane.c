/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application whose jobs were long is tried again after a while: it may have been the first
 * request, a lock, or a machine that was busy. */
#include "worker/lane.h"

/* Beyond it the 10 us that another thread costs are little beside what others wait for the loop. */
#define SHORT_USEC 200

#define WEIGHT 8

bool lane_has_room(const struct lane *lane)
{
        return lane->running < lane->limit;
}

bool lane_is_short(const struct lane *lane, uint64_t now)
{
        return now >= lane->slow_until;
}

void lane_took(struct lane *lane, uint64_t usec, uint64_t now)
{
        lane->usual_usec = (lane->usual_usec * (WEIGHT - 1) + usec) / WEIGHT;
        if (lane->usual_usec > SHORT_USEC)
                lane_overran(lane, now);
}

void lane_overran(struct lane *lane, uint64_t now)
{
        lane->usual_usec = 0;
        lane->slow_until = now + LANE_SLOW_USEC;
}
