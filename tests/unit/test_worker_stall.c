/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When applications are asked whether they hang, and what their answers add up to. */
#include "worker/stall.h"

#include <assert.h>

#include "base/clock.h"

enum { NOW = 5000000, PAUSE = 1000 };

static void test_nobody_is_asked_in_an_idle_worker(void)
{
        struct stalls stalls = {.n = 1, .pause = PAUSE, .look_at = USEC_NEVER};

        assert(!stalls_due(&stalls, false, NOW) && stalls_wake_usec(&stalls) == USEC_NEVER);
        assert(!stalls_due(&stalls, true, NOW) && stalls_wake_usec(&stalls) == NOW + PAUSE);
        assert(!stalls_due(&stalls, false, NOW + PAUSE));
        assert(stalls_wake_usec(&stalls) == USEC_NEVER);
}

static void test_what_takes_a_moment_costs_no_question(void)
{
        struct stalls stalls = {.n = 1, .pause = PAUSE, .look_at = USEC_NEVER};

        for (uint64_t now = NOW; now < NOW + 10 * PAUSE; now += PAUSE - 1) {
                assert(!stalls_due(&stalls, true, now));
                assert(!stalls_due(&stalls, false, now + 1));
        }
        assert(!stalls_due(&stalls, true, NOW));
        assert(!stalls_due(&stalls, true, NOW + PAUSE - 1));
        assert(stalls_due(&stalls, true, NOW + PAUSE));
}

static void test_after_a_pause_it_begins_anew(void)
{
        struct stalls stalls = {.n = 1, .pause = PAUSE, .look_at = NOW, .looked = NOW - PAUSE};

        assert(!stalls_due(&stalls, false, NOW) && !stalls_due(&stalls, true, NOW));
        assert(stalls.looked == 0);
}

static void test_where_none_can_tell_none_is_asked(void)
{
        struct stalls stalls = {.pause = PAUSE, .look_at = USEC_NEVER};

        assert(!stalls_due(&stalls, true, NOW) && !stalls_due(&stalls, true, NOW + PAUSE));
        assert(stalls_wake_usec(&stalls) == USEC_NEVER);
}

static void test_time_in_which_it_hangs_adds_up(void)
{
        struct stall stall = {.can = true};

        for (unsigned i = 1; i <= 10; i++) {
                stall_saw(&stall, true, PAUSE, PAUSE);
                assert(stall.stood_usec == i * (uint64_t)PAUSE);
        }
        stall_saw(&stall, false, PAUSE, PAUSE);
        assert(stall.stood_usec == 0);
}

static void test_loop_that_was_late_accuses_nobody(void)
{
        struct stall stall = {.can = true, .stood_usec = 9 * PAUSE};

        stall_saw(&stall, true, 2 * PAUSE, PAUSE);
        assert(stall.stood_usec == 11 * (uint64_t)PAUSE);
        stall_saw(&stall, true, 2 * PAUSE + 1, PAUSE);
        assert(stall.stood_usec == 0);
        stall_saw(&stall, true, USEC_NEVER, PAUSE);
        assert(stall.stood_usec == 0);
}

int main(void)
{
        test_nobody_is_asked_in_an_idle_worker();
        test_what_takes_a_moment_costs_no_question();
        test_after_a_pause_it_begins_anew();
        test_where_none_can_tell_none_is_asked();
        test_time_in_which_it_hangs_adds_up();
        test_loop_that_was_late_accuses_nobody();
        return 0;
}
