/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervision table, pair by pair against a second, independent description, and what must hold
 * of it as a whole. */
#include "master/supervise.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define S(state, action)                                                                           \
        {                                                                                          \
                WORKER_##state, ACT_##action                                                       \
        }

/* Written from the states' meanings: rows as in enum worker_state, columns as in enum worker_event.
 */
static const struct worker_step expected[WORKER_STATES_MAX][WORKER_EVENTS_MAX] = {
        {S(STARTING, AWAIT_READY), S(EMPTY, BUG), S(EMPTY, BUG), S(EMPTY, BUG), S(EMPTY, BUG),
         S(EMPTY, BUG), S(EMPTY, NOTHING), S(EMPTY, NOTHING), S(EMPTY, BUG)},
        {S(STARTING, BUG), S(READY, SERVE), S(STARTING, NOTHING), S(DRAINING, AWAIT_DRAIN),
         S(ABORTED, ABORT), S(STARTING, BUG), S(DRAINING, KILL), S(ABORTED, KILL), S(EMPTY, BURY)},
        {S(READY, BUG), S(READY, NOTHING), S(READY, AWAIT_BEAT), S(DRAINING, AWAIT_DRAIN),
         S(ABORTED, ABORT), S(READY, BUG), S(DRAINING, DRAIN), S(ABORTED, KILL), S(EMPTY, BURY)},
        {S(DRAINING, BUG), S(DRAINING, NOTHING), S(DRAINING, AWAIT_BEAT), S(DRAINING, NOTHING),
         S(ABORTED, ABORT), S(ABORTED, CUT), S(DRAINING, NOTHING), S(ABORTED, KILL),
         S(EMPTY, BURY)},
        {S(ABORTED, BUG), S(ABORTED, NOTHING), S(ABORTED, NOTHING), S(ABORTED, NOTHING),
         S(ABORTED, KILL), S(ABORTED, NOTHING), S(ABORTED, NOTHING), S(ABORTED, KILL),
         S(EMPTY, BURY)},
};

static const enum worker_state states[] = {
        WORKER_EMPTY, WORKER_STARTING, WORKER_READY, WORKER_DRAINING, WORKER_ABORTED,
};

static const enum worker_event events[] = {
        WORKER_SPAWNED, WORKER_TOLD_READY, WORKER_TOLD_BEAT, WORKER_TOLD_STOPPING, WORKER_SILENT,
        WORKER_OVERDUE, WORKER_STOP,       WORKER_QUIT,      WORKER_EXITED,
};

static void test_every_pair_is_as_described(void)
{
        for (int state = 0; state < WORKER_STATES_MAX; state++)
                for (int event = 0; event < WORKER_EVENTS_MAX; event++) {
                        struct worker_step step = worker_step(states[state], events[event]);

                        assert(step.next == expected[state][event].next);
                        assert(step.action == expected[state][event].action);
                }
}

static void test_a_bug_changes_no_state_and_a_death_always_empties(void)
{
        for (int state = 0; state < WORKER_STATES_MAX; state++) {
                for (int event = 0; event < WORKER_EVENTS_MAX; event++) {
                        struct worker_step step = worker_step(states[state], events[event]);

                        assert(step.action != ACT_BUG || step.next == states[state]);
                        assert(step.next != WORKER_EMPTY || states[state] == WORKER_EMPTY ||
                               events[event] == WORKER_EXITED);
                }
                assert(worker_step(states[state], WORKER_EXITED).next == WORKER_EMPTY);
        }
}

/* Whatever a worker does or does not do, deadlines alone bring its end within two steps. */
static void test_silence_ends_with_a_kill(void)
{
        for (int state = WORKER_STARTING; state < WORKER_STATES_MAX; state++) {
                struct worker_step step = worker_step(states[state], WORKER_SILENT);

                assert(step.action == ACT_ABORT || step.action == ACT_KILL);
                step = worker_step(step.next, WORKER_SILENT);
                assert(step.action == ACT_KILL && step.next == WORKER_ABORTED);
        }
}

/* Whoever takes too long to finish is asked where he is before he is killed. */
static void test_overdue_drain_is_aborted_before_it_is_killed(void)
{
        struct worker_step step = worker_step(WORKER_DRAINING, WORKER_OVERDUE);

        assert(step.action == ACT_CUT && step.next == WORKER_ABORTED);
        step = worker_step(step.next, WORKER_OVERDUE);
        assert(step.action == ACT_NOTHING && step.next == WORKER_ABORTED);
        step = worker_step(step.next, WORKER_SILENT);
        assert(step.action == ACT_KILL && step.next == WORKER_ABORTED);
}

static void test_quit_kills_whatever_lives(void)
{
        for (int state = WORKER_STARTING; state < WORKER_STATES_MAX; state++) {
                struct worker_step step = worker_step(states[state], WORKER_QUIT);

                assert(step.action == ACT_KILL && step.next == WORKER_ABORTED);
        }
}

static void test_only_ready_workers_come_from_told_ready(void)
{
        for (int state = 0; state < WORKER_STATES_MAX; state++)
                for (int event = 0; event < WORKER_EVENTS_MAX; event++)
                        if (worker_step(states[state], events[event]).next == WORKER_READY)
                                assert(states[state] == WORKER_READY ||
                                       events[event] == WORKER_TOLD_READY);
}

static void test_states_have_names_of_their_own(void)
{
        for (int one = 0; one < WORKER_STATES_MAX; one++)
                for (int other = 0; other < one; other++)
                        assert(strcmp(worker_state_name(states[one]),
                                      worker_state_name(states[other])) != 0);
}

static void test_backoff_doubles_from_100_ms_to_10_s(void)
{
        assert(backoff_usec(0) == 100000);
        assert(backoff_usec(1) == 100000);
        assert(backoff_usec(2) == 200000);
        assert(backoff_usec(3) == 400000);
        assert(backoff_usec(7) == 6400000);
        assert(backoff_usec(8) == 10000000);
        assert(backoff_usec(~0U) == 10000000);
}

static enum generation_verdict expected_verdict(const struct generation_loss *loss)
{
        switch (loss->phase) {
        case GENERATION_DRAINING:
                return VERDICT_NOTHING;
        case GENERATION_SERVING:
                return loss->was_ready && loss->failures < 2 ? VERDICT_RESPAWN
                                                             : VERDICT_RESPAWN_LATER;
        case GENERATION_STARTING:
                break;
        }
        if (loss->was_ready && loss->failures < 5)
                return VERDICT_RESPAWN;
        if (loss->older_serves)
                return VERDICT_REFUSE;
        if (loss->config_error)
                return VERDICT_FAIL_CONFIG;
        return loss->failures < 5 ? VERDICT_RESPAWN_LATER : VERDICT_FAIL;
}

static void test_generations_are_judged_over_all_inputs(void)
{
        for (int bits = 0; bits < 8; bits++)
                for (int phase = GENERATION_STARTING; phase <= GENERATION_DRAINING; phase++)
                        for (unsigned failures = 0; failures < 8; failures++) {
                                const struct generation_loss loss = {
                                        .phase = (enum generation_phase)phase,
                                        .older_serves = bits & 1,
                                        .was_ready = bits & 2,
                                        .config_error = bits & 4,
                                        .failures = failures,
                                };

                                assert(generation_judge(&loss) == expected_verdict(&loss));
                        }
}

static int choose(const struct recycle_candidate *candidates, size_t n)
{
        return recycle_choose(candidates, n, 2);
}

static void test_who_asked_first_gets_a_successor(void)
{
        struct recycle_candidate workers[4] = {
                {.state = WORKER_READY, .settled = true, .worn_usec = 20},
                {.state = WORKER_EMPTY},
                {.state = WORKER_READY, .settled = true, .worn_usec = 10},
                {.state = WORKER_EMPTY},
        };

        assert(choose(workers, 4) == 2);
        workers[2].worn_usec = 0;
        assert(choose(workers, 4) == 0);
        workers[0].settled = false; /* forking must not be all that it does */
        assert(choose(workers, 4) == -1);
        workers[0] = (struct recycle_candidate){.state = WORKER_READY, .settled = true};
        assert(choose(workers, 4) == -1);
}

/* Whatever the others do: no second one is out, and no successor starts while one is missing. */
static void test_successors_come_one_at_a_time(void)
{
        for (int state = 0; state < WORKER_STATES_MAX; state++)
                for (int other = 0; other < WORKER_STATES_MAX; other++) {
                        const struct recycle_candidate workers[3] = {
                                {.state = WORKER_READY, .settled = true, .worn_usec = 5},
                                {.state = states[state], .settled = true},
                                {.state = states[other], .settled = true},
                        };
                        bool complete =
                                (states[state] == WORKER_READY) !=
                                        (states[other] == WORKER_READY) &&
                                (states[state] == WORKER_EMPTY || states[other] == WORKER_EMPTY);

                        assert(choose(workers, 3) == (complete ? 0 : -1));
                }
}

static void test_who_is_stuck_waits_for_nobody(void)
{
        struct recycle_candidate workers[5] = {
                {.state = WORKER_READY, .id = 1, .settled = true, .worn_usec = 30, .urgent = true},
                {.state = WORKER_READY, .id = 2, .settled = true, .worn_usec = 20, .urgent = true},
                {.state = WORKER_READY, .id = 3, .settled = true, .worn_usec = 10},
        };

        assert(recycle_choose(workers, 5, 3) == 1);
        workers[3] = (struct recycle_candidate){.state = WORKER_STARTING, .id = 2};
        assert(recycle_choose(workers, 5, 3) == 0);
        workers[4] = (struct recycle_candidate){.state = WORKER_STARTING, .id = 1};
        assert(recycle_choose(workers, 5, 3) == -1);
        workers[0] = (struct recycle_candidate){.state = WORKER_DRAINING, .id = 1, .settled = true};
        assert(recycle_choose(workers, 5, 3) == -1);
}

int main(void)
{
        test_who_is_stuck_waits_for_nobody();
        test_every_pair_is_as_described();
        test_a_bug_changes_no_state_and_a_death_always_empties();
        test_silence_ends_with_a_kill();
        test_overdue_drain_is_aborted_before_it_is_killed();
        test_quit_kills_whatever_lives();
        test_only_ready_workers_come_from_told_ready();
        test_states_have_names_of_their_own();
        test_backoff_doubles_from_100_ms_to_10_s();
        test_generations_are_judged_over_all_inputs();
        test_who_asked_first_gets_a_successor();
        test_successors_come_one_at_a_time();
        return 0;
}
