/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the jobs of a lane are taken for short. */
#include "worker/lane.h"

#include <assert.h>

enum { SHORT = 20, LONG = 1000 };

static void test_room_is_what_the_limit_leaves(void)
{
        struct lane lane = {.limit = 2};

        assert(lane_has_room(&lane));
        lane.running = 1;
        assert(lane_has_room(&lane));
        lane.running = 2;
        assert(!lane_has_room(&lane));
}

static void test_short_until_seen_otherwise(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1;

        for (unsigned i = 0; i < 1000; i++) {
                assert(lane_is_short(&lane, now));
                lane_took(&lane, SHORT, ++now);
        }
        /* One that is long among many is no reason. */
        lane_took(&lane, LONG, now);
        assert(lane_is_short(&lane, now));
        for (unsigned i = 0; i < 10; i++)
                lane_took(&lane, LONG, now);
        assert(!lane_is_short(&lane, now));
}

static void test_tried_again_after_a_while(void)
{
        struct lane lane = {.limit = 1};

        lane_overran(&lane, 1000);
        assert(!lane_is_short(&lane, 1000) && !lane_is_short(&lane, 999 + LANE_SLOW_USEC));
        assert(lane_is_short(&lane, 1000 + LANE_SLOW_USEC));
        /* What was before is forgotten. */
        lane_took(&lane, SHORT, 1000 + LANE_SLOW_USEC);
        assert(lane_is_short(&lane, 1000 + LANE_SLOW_USEC));
}

int main(void)
{
        test_room_is_what_the_limit_leaves();
        test_short_until_seen_otherwise();
        test_tried_again_after_a_while();
        return 0;
}
