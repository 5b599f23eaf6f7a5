/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which jobs get the last seat, and what is learned of those that are like them. */
#include "worker/seats.h"

#include <assert.h>

#include "base/clock.h"

enum { SHORT = 100, LONG = 5000, SEATS = 4 };

static void test_habits_are_learned_and_unlearned(void)
{
        struct habit habit = {0};

        habit_took(&habit, LONG);
        habit_took(&habit, HABIT_UNKNOWN);
        assert(!habit_is_long(&habit)); /* one is an exception */
        habit_took(&habit, LONG);
        assert(habit_is_long(&habit));
        for (unsigned i = 0; i < 100; i++)
                habit_took(&habit, LONG);
        habit_took(&habit, SHORT);
        assert(habit_is_long(&habit));
        habit_took(&habit, SHORT);
        assert(!habit_is_long(&habit));
}

static void test_each_path_has_its_own(void)
{
        static struct habits habits;
        struct habit *one = habit_find(&habits, 17, "/one", 4);

        assert(one == habit_find(&habits, 17, "/one?a", 4));
        assert(one != habit_find(&habits, 17, "/two", 4));
        assert(one != habit_find(&habits, 18, "/one", 4)); /* a seed for which it is so */
}

/* All seats but one are taken by jobs that began long ago. */
static void fill(struct seats *seats, struct job jobs[static SEATS - 1])
{
        seats_init(seats, SEATS);
        for (unsigned i = 0; i < SEATS - 1; i++) {
                seats_enter(seats, &jobs[i]);
                jobs[i].begun = 1;
        }
}

static void test_the_last_seat_is_kept_after_a_short_one(void)
{
        struct job jobs[SEATS - 1] = {0}, short_one = {0};
        struct seats seats;
        uint64_t now;

        fill(&seats, jobs);
        seats_enter(&seats, &short_one);
        now = short_one.begun;
        assert(seats_room(&seats, now) == SEATS_NONE);
        seats_leave(&seats, &short_one, SHORT);
        assert(seats_room(&seats, now + SHORT) == SEATS_FOR_SHORT);
        assert(seats_wake_usec(&seats, now) == now + SEATS_KEPT_USEC);
        assert(seats_room(&seats, now + SEATS_KEPT_USEC) == SEATS_FOR_ALL);
        assert(seats_wake_usec(&seats, now + SEATS_KEPT_USEC) == USEC_NEVER);
}

static void test_it_is_kept_while_a_short_one_waits(void)
{
        struct job jobs[SEATS - 1] = {0}, waits = {0}, further = {0};
        struct seats seats;
        uint64_t later;

        fill(&seats, jobs);
        later = now_usec() + SEATS_KEPT_USEC * 2;
        seats_await(&seats, &waits);
        seats_await(&seats, &further);
        assert(seats_room(&seats, later) == SEATS_FOR_SHORT);
        seats_forget(&seats, &waits);
        assert(seats_room(&seats, later) == SEATS_FOR_SHORT);
        seats_forget(&seats, &further);
        assert(seats_room(&seats, later) == SEATS_FOR_ALL);
}

/* The others are free for all; so is a single one. */
static void test_nothing_else_is_kept(void)
{
        struct job jobs[SEATS - 1] = {0}, waits = {0};
        struct seats seats;
        uint64_t now;

        fill(&seats, jobs);
        seats_await(&seats, &waits);
        now = now_usec();
        seats_leave(&seats, &jobs[0], LONG);
        assert(seats_room(&seats, now) == SEATS_FOR_ALL);

        seats_init(&seats, 1);
        seats_await(&seats, &waits);
        assert(seats_room(&seats, now) == SEATS_FOR_ALL);
}

static void test_what_a_job_took_is_its_habit(void)
{
        struct habit habit = {0};
        struct job job = {.habit = &habit};
        struct seats seats;

        seats_init(&seats, SEATS);
        for (unsigned i = 0; i < 4; i++) {
                assert(job_is_long(&job) == (i == 3));
                seats_enter(&seats, &job);
                seats_leave(&seats, &job, i == 0 ? SHORT : LONG);
        }
        assert(job_is_long(&job) && seats.n == 0);
}

int main(void)
{
        test_habits_are_learned_and_unlearned();
        test_each_path_has_its_own();
        test_the_last_seat_is_kept_after_a_short_one();
        test_it_is_kept_while_a_short_one_waits();
        test_nothing_else_is_kept();
        test_what_a_job_took_is_its_habit();
        return 0;
}
