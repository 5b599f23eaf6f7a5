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

/* Return: how many of @n jobs were for the leader. */
static unsigned run(struct lane *lane, unsigned n, uint64_t usec, uint64_t *now)
{
        unsigned short_ones = 0;

        for (unsigned i = 0; i < n; i++, (*now)++)
                if (lane_is_short(lane, *now)) {
                        lane_took(lane, usec, *now);
                        short_ones++;
                }
        return short_ones;
}

static void test_short_until_seen_otherwise(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1;

        assert(run(&lane, 1000, SHORT, &now) == 1000);
        assert(run(&lane, 1000, LONG, &now) < 20);
        assert(!lane_is_short(&lane, now));
}

static void test_long_ones_now_and_then_are_no_reason(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1;

        for (unsigned i = 0; i < 1000; i++) {
                lane_overran(&lane, now);
                assert(lane_is_short(&lane, now));
                assert(run(&lane, 50, SHORT, &now) == 50);
        }
        /* More of them are. */
        for (unsigned i = 0; i < 20 && lane_is_short(&lane, now); i++) {
                lane_overran(&lane, now);
                (void)run(&lane, 10, SHORT, &now);
        }
        assert(!lane_is_short(&lane, now));
}

static void test_tried_again_after_a_while(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1000;

        while (lane_is_short(&lane, now))
                lane_overran(&lane, now);
        assert(!lane_is_short(&lane, 999 + LANE_SLOW_USEC));
        now += LANE_SLOW_USEC;
        assert(lane_is_short(&lane, now));
        /* It has not changed. */
        lane_overran(&lane, now);
        assert(!lane_is_short(&lane, now));
        /* It has. */
        now += LANE_SLOW_USEC;
        assert(run(&lane, 1000, SHORT, &now) == 1000);
}

int main(void)
{
        test_room_is_what_the_limit_leaves();
        test_short_until_seen_otherwise();
        test_long_ones_now_and_then_are_no_reason();
        test_tried_again_after_a_while();
        return 0;
}
