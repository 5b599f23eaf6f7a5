/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The number of workers that follows from simulated loads, hours of them in virtual time: it is
 * enough, it is given back, and it never flaps. */
#include "master/scale.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config.h"

#define STEP_USEC   (SCALE_LOOK_USEC / 5)
#define MINUTE      (60 * USEC_PER_SEC)
#define HOUR        (60 * MINUTE)
#define CALM        (30 * USEC_PER_SEC)
#define START_USEC  USEC_PER_SEC
#define MANY        32
#define SERVICE_SEC 0.1
#define SLICES      16 /* of a step: in each one request comes or none */

/* -- a queueing system of workers -- */

struct worker {
        bool there;
        uint64_t ready_usec;
        unsigned busy, queued;
};

struct world {
        struct scale scale;
        struct worker workers[MANY + 1];
        unsigned threads;    /* of each worker, as the configuration has them */
        unsigned concurrent; /* requests that the application takes at a time */
        uint64_t now;
        uint64_t random;
        double deaths; /* an hour and worker */
        double brief;  /* loops that are busy with what is too short to queue anywhere */
        /* what became of it */
        unsigned most, changes, reversals;
        int direction;
        uint64_t moved_usec, shortest_usec; /* from the last one more to the first one fewer */
};

static double draw(struct world *world)
{
        world->random ^= world->random << 13;
        world->random ^= world->random >> 7;
        world->random ^= world->random << 17;
        return (double)(world->random >> 11) / (double)(UINT64_C(1) << 53);
}

static unsigned draw_arrivals(struct world *world, double mean)
{
        unsigned n = 0;

        for (int i = 0; mean > 0 && i < SLICES; i++)
                n += draw(world) < mean / SLICES;
        return n;
}

static bool serves(const struct world *world, const struct worker *worker)
{
        return worker->there && worker->ready_usec <= world->now;
}

/* To the one with the fewest, as connections are spread. */
static void arrive(struct world *world)
{
        struct worker *least = NULL;

        for (unsigned i = 0; i < world->scale.wanted; i++) {
                struct worker *worker = &world->workers[i];

                if (serves(world, worker) &&
                    (!least || worker->busy + worker->queued < least->busy + least->queued))
                        least = worker;
        }
        if (least)
                least->queued++;
}

static void work(struct world *world, struct worker *worker)
{
        const double share = (double)STEP_USEC / (double)USEC_PER_SEC / SERVICE_SEC;

        for (unsigned i = worker->busy; i > 0; i--)
                worker->busy -= draw(world) < share;
        while (worker->queued > 0 && worker->busy < world->concurrent) {
                worker->queued--;
                worker->busy++;
        }
        if (world->deaths > 0 && draw(world) < world->deaths * (double)STEP_USEC / (double)HOUR)
                *worker = (struct worker){.there = true, .ready_usec = world->now + START_USEC};
}

/* What is retired finishes elsewhere. */
static void apply(struct world *world)
{
        for (unsigned i = 0; i < MANY; i++) {
                struct worker *worker = &world->workers[i];
                bool wanted = i < world->scale.wanted;

                if (worker->there != wanted)
                        *worker = (struct worker){.there = wanted,
                                                  .ready_usec = world->now + START_USEC};
        }
}

/* Evenly spread, as connections are; no loop is busier than always. */
static double busy_loops(struct world *world, unsigned serving)
{
        double share = serving > 0 ? world->brief / serving : 0;

        return (share >= 1 ? 1 : share * (0.9 + 0.1 * draw(world))) * serving;
}

static void look(struct world *world)
{
        struct scale_observation seen = {.now_usec = world->now, .threads = world->threads};
        int by;

        for (unsigned i = 0; i < MANY; i++) {
                const struct worker *worker = &world->workers[i];

                seen.processes += worker->there;
                if (!serves(world, worker))
                        continue;
                seen.serving++;
                seen.busy += worker->busy;
                seen.queued += worker->queued;
                seen.full += worker->queued > 0;
                seen.full_busy += worker->queued > 0 ? worker->busy : 0;
        }
        seen.loops = busy_loops(world, seen.serving);
        by = scale_observe(&world->scale, &seen);
        assert(world->scale.wanted >= world->scale.bounds.min &&
               world->scale.wanted <= world->scale.bounds.max);
        if (by == 0)
                return;
        world->changes++;
        if (world->direction * by < 0) {
                world->reversals++;
                if (by < 0 && world->now - world->moved_usec < world->shortest_usec)
                        world->shortest_usec = world->now - world->moved_usec;
        }
        world->direction = by;
        world->moved_usec = world->now;
        if (world->scale.wanted > world->most)
                world->most = world->scale.wanted;
        apply(world);
}

static struct world world_of(unsigned min, unsigned max, uint64_t seed)
{
        struct world world = {
                .threads = 4,
                .concurrent = 4,
                .now = HOUR,
                .random = seed,
                .shortest_usec = UINT64_MAX,
        };
        const struct scale_bounds bounds = scale_bounds(workers_range(min, max), CALM, 2);

        scale_init(&world.scale, &bounds, 0);
        apply(&world);
        return world;
}

/* @load: threads that would be busy on the average, if there were enough. */
static void live(struct world *world, uint64_t usec, double load)
{
        const double arrivals = load / SERVICE_SEC * (double)STEP_USEC / (double)USEC_PER_SEC;

        for (uint64_t end = world->now + usec; world->now < end; world->now += STEP_USEC) {
                for (unsigned n = draw_arrivals(world, arrivals); n > 0; n--)
                        arrive(world);
                for (unsigned i = 0; i < world->scale.wanted; i++)
                        if (serves(world, &world->workers[i]))
                                work(world, &world->workers[i]);
                if (world->now % SCALE_LOOK_USEC == 0)
                        look(world);
        }
}

/* -- loads -- */

/* What has waited for the first ones may ask for one too many, which is given back once. */
static void live_evenly(struct world *world, double load)
{
        unsigned reversals;

        live(world, HOUR / 2, load);
        reversals = world->reversals;
        assert(reversals <= 1);
        live(world, HOUR, load);
        assert(world->reversals == reversals);
}

static void test_an_even_load_of_any_size_finds_its_number_and_keeps_it(void)
{
        for (int tenths = 1; tenths <= 240; tenths += tenths < 40 ? 3 : 25) {
                struct world world = world_of(1, 16, 77 + (uint64_t)tenths);
                double load = tenths / 10.0;

                live_evenly(&world, load);
                /* Enough, and not three times as much as would do. */
                assert(world.scale.wanted * 4 > load);
                assert((world.scale.wanted - 1) * 4 <= 3 * load + 4);
        }
}

static void test_one_request_at_a_time_is_an_even_load_too(void)
{
        for (int tenths = 1; tenths <= 120; tenths += tenths < 40 ? 3 : 25) {
                struct world world = world_of(1, 16, 5 + (uint64_t)tenths);

                world.concurrent = 1;
                live_evenly(&world, tenths / 10.0);
                assert(world.scale.wanted > tenths / 10.0);
        }
}

static void test_what_is_needed_is_there_soon_and_given_back_later(void)
{
        struct world world = world_of(2, 16, 3);

        live(&world, MINUTE, 0.5);
        assert(world.scale.wanted == 2);
        live(&world, MINUTE, 30);
        assert(world.scale.wanted * 4 > 30);
        live(&world, 25 * USEC_PER_SEC, 0);
        assert(world.scale.wanted == world.most);
        live(&world, 2 * MINUTE, 0);
        assert(world.scale.wanted == 2 && world.reversals == 1);
}

static void test_what_is_not_needed_any_more_stays_where_it_would_be_half_busy(void)
{
        struct world world = world_of(1, 16, 9);

        live(&world, 2 * MINUTE, 40);
        assert(world.scale.wanted > 10);
        live(&world, HOUR, 12);
        assert(world.scale.wanted >= 6 && world.scale.wanted <= 8 && world.reversals == 1);
        live(&world, 6 * HOUR, 12);
        assert(world.reversals == 1);
}

static void test_a_burst_that_a_queue_can_take_moves_nothing(void)
{
        struct world world = world_of(2, 16, 21);

        for (int i = 0; i < 60; i++) {
                live(&world, USEC_PER_SEC, 12);
                live(&world, MINUTE - USEC_PER_SEC, 0.2);
        }
        assert(world.changes == 0);
}

static void test_a_day_is_one_way_up_and_one_way_down(void)
{
        struct world world = world_of(1, 16, 4);

        for (int minute = 0; minute < 24 * 60; minute++)
                live(&world, MINUTE, 0.5 + (minute < 720 ? minute : 1440 - minute) / 38.0);
        assert(world.most >= 5 && world.reversals <= 3);
}

/* What comes and goes faster than it is worth is learned; at first each try may be a mistake. */
static void test_a_load_that_comes_and_goes_is_followed_only_where_it_is_slow(void)
{
        static const uint64_t seconds[] = {5, 20, 80, 320, 1280};

        for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
                struct world world = world_of(1, 8, 13 + i);
                uint64_t half = seconds[i] * USEC_PER_SEC, cycles = 12 * HOUR / (2 * half);

                for (uint64_t n = 0; n < cycles; n++) {
                        live(&world, half, 12);
                        live(&world, half, 0);
                }
                /* Often only where it had been calm for minutes. */
                assert(world.shortest_usec >= CALM);
                assert(world.reversals <= 2 * cycles);
                assert(seconds[i] > 240 || world.reversals <= 16);
        }
}

static void test_a_load_without_any_rule_changes_direction_rarely(void)
{
        for (uint64_t seed = 1; seed <= 2; seed++) {
                struct world world = world_of(2, MANY, seed);
                double load = 4;

                for (int n = 0; n < 12 * 120; n++) {
                        load *= 0.6 + 0.9 * draw(&world);
                        load = load < 0.1 ? 0.1 : load > 60 ? 60 : load;
                        live(&world, MINUTE / 2, load);
                }
                assert(world.shortest_usec >= CALM);
                assert(world.reversals <= 12 * 6);
        }
}

static void test_deaths_are_not_taken_for_a_load(void)
{
        struct world world = world_of(2, 16, 31);

        world.deaths = 30;
        live(&world, 3 * HOUR, 3);
        assert(world.changes <= 1 && world.reversals == 0);
}

/* -- what is too short to queue -- */

static struct world brief_world(unsigned processors, uint64_t seed)
{
        struct world world = world_of(1, 16, seed);

        world.scale.bounds.processors = processors;
        return world;
}

static void live_briefly(struct world *world, uint64_t usec, double brief)
{
        world->brief = brief;
        live(world, usec, 0);
}

static void test_loops_without_a_pause_make_it_grow_and_an_even_load_keeps_its_number(void)
{
        for (int tenths = 1; tenths <= 78; tenths += 7) {
                struct world world = brief_world(8, 40 + (uint64_t)tenths);
                double brief = tenths / 10.0;

                live_briefly(&world, HOUR / 2, brief);
                assert(world.scale.wanted * 1.0 > brief && world.scale.wanted <= 2 * brief + 1.5);
                assert(world.reversals == 0);
                live_briefly(&world, 3 * HOUR, brief);
                assert(world.reversals == 0);
        }
}

static void test_more_busy_loops_than_processors_are_not_wanted(void)
{
        struct world world = brief_world(4, 8);

        live_briefly(&world, HOUR, 100);
        assert(world.scale.wanted == 4 && world.most == 4 && world.reversals == 0);
        /* Where threads are missing it goes on. */
        live(&world, HOUR / 4, 40);
        assert(world.scale.wanted > 8);
}

static void test_busy_loops_take_seconds_and_a_burst_of_them_moves_nothing(void)
{
        struct world world = brief_world(8, 17);

        for (int i = 0; i < 60; i++) {
                live_briefly(&world, USEC_PER_SEC, 6);
                live_briefly(&world, MINUTE - USEC_PER_SEC, 0.2);
        }
        assert(world.changes == 0);
        live_briefly(&world, 20 * USEC_PER_SEC, 1.8);
        assert(world.scale.wanted == 2);
        live_briefly(&world, 2 * MINUTE, 0.1);
        assert(world.scale.wanted == 1 && world.reversals == 1 && world.shortest_usec >= CALM);
}

/* The others would be more than half busy: what would be missed is kept. */
static void test_loops_that_the_others_could_not_take_over_are_kept(void)
{
        struct world world = brief_world(8, 23);

        live_briefly(&world, MINUTE, 3.5);
        assert(world.scale.wanted >= 4);
        live_briefly(&world, HOUR, 1.2);
        assert(world.scale.wanted >= 3 && world.reversals <= 1);
        live_briefly(&world, HOUR, 0.2);
        assert(world.scale.wanted == 1);
}

static void test_brief_load_that_comes_and_goes_does_not_make_it_flap(void)
{
        static const uint64_t seconds[] = {5, 20, 80};

        for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
                struct world world = brief_world(8, 51 + i);
                uint64_t half = seconds[i] * USEC_PER_SEC, cycles = 6 * HOUR / (2 * half);

                for (uint64_t n = 0; n < cycles; n++) {
                        live_briefly(&world, half, 4);
                        live_briefly(&world, half, 0);
                }
                assert(world.shortest_usec >= CALM && world.reversals <= 16);
        }
}

/* -- single observations -- */

static struct scale_observation full(uint64_t now, unsigned serving, unsigned processes)
{
        return (struct scale_observation){
                .now_usec = now,
                .serving = serving,
                .processes = processes,
                .threads = 1,
                .busy = serving,
                .queued = 9,
                .full = serving,
                .full_busy = serving,
        };
}

/* Looks at a full service until the number changes. */
static uint64_t until_it_grows(struct scale *scale, uint64_t now, unsigned processes)
{
        for (unsigned before = scale->wanted; scale->wanted == before; now += SCALE_LOOK_USEC) {
                const struct scale_observation seen = full(now, before, processes);

                (void)scale_observe(scale, &seen);
        }
        return now;
}

static void test_growing_takes_seconds_and_waits_for_who_comes(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(1, 4), CALM, 1);
        struct scale scale;
        uint64_t now;

        scale_init(&scale, &bounds, 1);
        now = until_it_grows(&scale, USEC_PER_SEC, 1);
        assert(now >= 3 * USEC_PER_SEC && now <= 8 * USEC_PER_SEC && scale.wanted == 2);
        for (int i = 0; i < 1000; i++) {
                const struct scale_observation seen = full(now += SCALE_LOOK_USEC, 1, 2);

                assert(scale_observe(&scale, &seen) == 0);
        }
}

static void test_what_drains_takes_a_place_of_max_and_one(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(1, 4), CALM, 1);
        struct scale scale;

        scale_init(&scale, &bounds, 3);
        for (uint64_t now = 1; now < HOUR; now += SCALE_LOOK_USEC) {
                const struct scale_observation seen = full(now, 3, 5);

                assert(scale_observe(&scale, &seen) == 0);
        }
        assert(scale_shift(&scale, 1, 5) == 0);
        (void)until_it_grows(&scale, 2 * HOUR, 4);
        assert(scale.wanted == 4 && scale_shift(&scale, 1, 4) == 0);
}

static void test_what_nobody_looked_at_was_not_calm(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(1, 4), CALM, 1);
        struct scale_observation idle = {.now_usec = HOUR, .serving = 4, .processes = 4};
        struct scale scale;

        scale_init(&scale, &bounds, 4);
        for (int i = 0; i < 100; i++) {
                assert(scale_observe(&scale, &idle) == 0);
                idle.now_usec += MINUTE;
        }
}

static void test_bounds(void)
{
        struct scale_bounds bounds = scale_bounds(0, CALM, 3);

        assert(!bounds.follows_load && bounds.first == 3 && bounds.min == 1 && bounds.max == 11);
        bounds = scale_bounds(20, CALM, 3);
        assert(!bounds.follows_load && bounds.first == 20 && bounds.max == 40);
        bounds = scale_bounds(WORKERS_MAX, CALM, 3);
        assert(bounds.first == WORKERS_MAX && bounds.max == WORKERS_MAX);
        bounds = scale_bounds(0, CALM, 1000);
        assert(bounds.first == 1000 && bounds.max == 1000);
        bounds = scale_bounds(workers_range(2, 5), CALM, 3);
        assert(bounds.follows_load && bounds.first == 2 && bounds.min == 2 && bounds.max == 5);
}

static void test_signals_move_a_fixed_number_and_no_load_does(void)
{
        const struct scale_bounds bounds = scale_bounds(2, CALM, 1);
        struct scale scale;

        scale_init(&scale, &bounds, bounds.first);
        for (uint64_t now = 1; now < HOUR; now += SCALE_LOOK_USEC) {
                const struct scale_observation seen = full(now, 2, 2);

                assert(scale_observe(&scale, &seen) == 0);
        }
        for (unsigned n = 3; n <= 10; n++)
                assert(scale_shift(&scale, 1, n - 1) == 1 && scale.wanted == n);
        assert(scale_shift(&scale, 1, 10) == 0 && scale.wanted == 10);
        for (unsigned n = 9; n >= 1; n--)
                assert(scale_shift(&scale, -1, n + 1) == -1 && scale.wanted == n);
        assert(scale_shift(&scale, -1, 1) == 0 && scale.wanted == 1);
}

static void test_signals_keep_within_a_range(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(2, 3), CALM, 1);
        struct scale scale;

        scale_init(&scale, &bounds, 9);
        assert(scale.wanted == 3 && scale_shift(&scale, 1, 3) == 0);
        assert(scale_shift(&scale, -1, 3) == -1 && scale_shift(&scale, -1, 2) == 0);
        assert(scale.wanted == 2);
}

int main(void)
{
        test_an_even_load_of_any_size_finds_its_number_and_keeps_it();
        test_one_request_at_a_time_is_an_even_load_too();
        test_what_is_needed_is_there_soon_and_given_back_later();
        test_what_is_not_needed_any_more_stays_where_it_would_be_half_busy();
        test_a_burst_that_a_queue_can_take_moves_nothing();
        test_a_day_is_one_way_up_and_one_way_down();
        test_a_load_that_comes_and_goes_is_followed_only_where_it_is_slow();
        test_a_load_without_any_rule_changes_direction_rarely();
        test_deaths_are_not_taken_for_a_load();
        test_loops_without_a_pause_make_it_grow_and_an_even_load_keeps_its_number();
        test_more_busy_loops_than_processors_are_not_wanted();
        test_busy_loops_take_seconds_and_a_burst_of_them_moves_nothing();
        test_loops_that_the_others_could_not_take_over_are_kept();
        test_brief_load_that_comes_and_goes_does_not_make_it_flap();
        test_growing_takes_seconds_and_waits_for_who_comes();
        test_what_drains_takes_a_place_of_max_and_one();
        test_what_nobody_looked_at_was_not_calm();
        test_bounds();
        test_signals_move_a_fixed_number_and_no_load_does();
        test_signals_keep_within_a_range();
        return 0;
}
