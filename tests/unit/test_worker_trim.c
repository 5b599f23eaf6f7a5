/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When memory is given back. */
#include "worker/trim.h"

#include <assert.h>

#include "base/clock.h"

enum { MANY = 1000, SOME = 200, FEW = 10 };

/* Return: how much later than @now it is done. */
static uint64_t leave(struct trim *trim, unsigned connections, uint64_t now)
{
        uint64_t due;

        trim_turn(trim, connections, now);
        due = trim_wake_usec(trim);
        if (due == USEC_NEVER)
                return due;
        trim_turn(trim, connections, due - 1);
        assert(trim_wake_usec(trim) == due);
        trim_turn(trim, connections, due);
        assert(trim_wake_usec(trim) == USEC_NEVER);
        return due - now;
}

static void test_once_after_a_crowd(void)
{
        struct trim trim = {0};
        uint64_t now = USEC_PER_SEC;

        assert(leave(&trim, MANY, now) == USEC_NEVER);
        assert(leave(&trim, MANY / 2, now) == USEC_NEVER);
        assert(leave(&trim, FEW, now) == 2 * USEC_PER_SEC);
        assert(leave(&trim, FEW, now + 10 * USEC_PER_SEC) == USEC_NEVER);
        assert(leave(&trim, 0, now + 10 * USEC_PER_SEC) == USEC_NEVER);
}

static void test_again_when_the_rest_of_it_has_left(void)
{
        struct trim trim = {0};
        uint64_t now = USEC_PER_SEC;

        assert(leave(&trim, MANY, now) == USEC_NEVER);
        assert(leave(&trim, SOME, now) == 2 * USEC_PER_SEC);
        assert(leave(&trim, SOME, now + 10 * USEC_PER_SEC) == USEC_NEVER);
        assert(leave(&trim, 0, now + 20 * USEC_PER_SEC) == 2 * USEC_PER_SEC);
}

static void test_put_off_when_another_crowd_comes(void)
{
        struct trim trim = {0};

        trim_turn(&trim, MANY, 1);
        trim_turn(&trim, FEW, 2);
        assert(trim_wake_usec(&trim) != USEC_NEVER);
        trim_turn(&trim, MANY, 3);
        assert(trim_wake_usec(&trim) == USEC_NEVER);
}

static void test_few_are_no_crowd(void)
{
        struct trim trim = {0};

        trim_turn(&trim, SOME, 1);
        trim_turn(&trim, 0, 2);
        assert(trim_wake_usec(&trim) == USEC_NEVER);
}

int main(void)
{
        trim_init();
        test_once_after_a_crowd();
        test_again_when_the_rest_of_it_has_left();
        test_put_off_when_another_crowd_comes();
        test_few_are_no_crowd();
        return 0;
}
