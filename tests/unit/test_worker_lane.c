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
                if (lane_pace(lane, *now) == LANE_SHORT) {
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
        assert(lane_pace(&lane, now) == LANE_SLOW);
}

static void test_long_ones_now_and_then_are_no_reason(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1;

        for (unsigned i = 0; i < 1000; i++) {
                lane_outlasts(&lane, now);
                assert(lane_pace(&lane, now) == LANE_SHORT);
                assert(run(&lane, 50, SHORT, &now) == 50);
        }
        /* More of them are. */
        for (unsigned i = 0; i < 20 && lane_pace(&lane, now) == LANE_SHORT; i++) {
                lane_outlasts(&lane, now);
                (void)run(&lane, 10, SHORT, &now);
        }
        assert(lane_pace(&lane, now) == LANE_SLOW);
}

static void test_tried_again_after_a_while(void)
{
        struct lane lane = {.limit = 1};
        uint64_t now = 1000;

        while (lane_pace(&lane, now) == LANE_SHORT)
                lane_outlasts(&lane, now);
        assert(lane_pace(&lane, 999 + LANE_SLOW_USEC) == LANE_SLOW);
        now += LANE_SLOW_USEC;
        assert(lane_pace(&lane, now) == LANE_SHORT);
        /* It has not changed. */
        lane_outlasts(&lane, now);
        assert(lane_pace(&lane, now) == LANE_SLOW);
        /* It has. */
        now += LANE_SLOW_USEC;
        assert(run(&lane, 1000, SHORT, &now) == 1000);
}

static void test_held_while_a_long_one_runs(void)
{
        struct lane lane = {.limit = 9, .running = 1};

        assert(lane_pace(&lane, 1000) == LANE_SHORT);
        lane_outlasts(&lane, 1000);
        assert(lane_pace(&lane, 1000) == LANE_HELD);
        assert(lane_pace(&lane, 999 + LANE_HOLD_USEC) == LANE_HELD);
        /* Not for ever. */
        assert(lane_pace(&lane, 1000 + LANE_HOLD_USEC) == LANE_SHORT);
        /* And no longer than it runs. */
        lane_outlasts(&lane, 5000);
        lane.running = 0;
        assert(lane_pace(&lane, 5001) == LANE_SHORT);
        lane.running = 1;
        assert(lane_pace(&lane, 5002) == LANE_SHORT);
}

static void test_held_before_it_is_tried_again(void)
{
        struct lane lane = {.limit = 9, .running = 2};
        uint64_t now = 1000;

        while (lane_pace(&lane, now) != LANE_SLOW)
                lane_outlasts(&lane, now);
        now += LANE_SLOW_USEC;
        assert(lane_pace(&lane, now) == LANE_HELD);
        now += LANE_HOLD_USEC - 1;
        assert(lane_pace(&lane, now) == LANE_HELD);
        /* They did not end: slow, for as long as before. */
        now++;
        assert(lane_pace(&lane, now) == LANE_SLOW);
        now += LANE_SLOW_USEC - 1;
        assert(lane_pace(&lane, now) == LANE_SLOW);
        now++;
        assert(lane_pace(&lane, now) == LANE_HELD);
        lane.running = 0;
        assert(lane_pace(&lane, now) == LANE_SHORT);
        lane.running = 1;
        assert(lane_pace(&lane, now) == LANE_SHORT);
}

static void test_excused_jobs_are_no_reason(void)
{
        struct lane lane = {.limit = 9};
        uint64_t now = 1000;

        for (unsigned i = 0; i < 100; i++) {
                lane_outlasts(&lane, now);
                lane_excuse(&lane);
                assert(lane_pace(&lane, now) == LANE_SHORT);
        }
        /* Nor are they when they were the last straw. */
        lane_outlasts(&lane, now);
        lane_outlasts(&lane, now);
        assert(lane_pace(&lane, now) == LANE_SHORT);
        lane_outlasts(&lane, now);
        assert(lane_pace(&lane, now) == LANE_SLOW);
        lane_excuse(&lane);
        assert(lane_pace(&lane, now) == LANE_SHORT);
}

int main(void)
{
        test_room_is_what_the_limit_leaves();
        test_short_until_seen_otherwise();
        test_long_ones_now_and_then_are_no_reason();
        test_tried_again_after_a_while();
        test_held_while_a_long_one_runs();
        test_held_before_it_is_tried_again();
        test_excused_jobs_are_no_reason();
        return 0;
}
