/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a worker has served enough, and how its memory is read. */
#include "worker/wear.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config.h"
#include "worker/private_memory.h"

enum { NOW = 5000000, SECOND = 1000000, LIMIT = 1000 };

static uint64_t memory;
static unsigned measured;

static uint64_t measure(void)
{
        measured++;
        return memory;
}

static struct wear fresh(const struct config *config, uint64_t luck)
{
        struct wear wear;

        wear_init(&wear, config, luck, NOW);
        wear.measure = measure;
        memory = 0;
        measured = 0;
        return wear;
}

static void test_without_limits_it_serves_for_ever_and_nothing_is_measured(void)
{
        const struct config config = {0};
        struct wear wear = fresh(&config, 7);

        assert(!wear_turn(&wear, UINT64_MAX, UINT64_MAX - 1));
        assert(wear_wake_usec(&wear, UINT64_MAX) == USEC_NEVER && measured == 0);
}

static void test_requests_are_counted_to_the_limit(void)
{
        const struct config config = {.server_max_requests = 10};
        struct wear wear = fresh(&config, 12345);

        memory = 77;
        assert(!wear_turn(&wear, 9, NOW));
        assert(wear_turn(&wear, 10, NOW) && wear.reason == WEAR_REQUESTS && wear.memory == 77);
        assert(!wear_turn(&wear, 11, NOW) && wear.reason == WEAR_REQUESTS);
}

static void test_jitter_reaches_every_number_up_to_itself_and_none_beyond(void)
{
        const struct config config = {.server_max_requests = 10, .server_max_requests_jitter = 3};
        bool reached[4] = {false};

        for (uint64_t luck = 0; luck < 100; luck++) {
                struct wear wear = fresh(&config, luck);

                assert(wear.max_requests >= 10 && wear.max_requests <= 13);
                reached[wear.max_requests - 10] = true;
        }
        assert(reached[0] && reached[1] && reached[2] && reached[3]);
}

static void test_greatest_jitter_does_not_wrap(void)
{
        const struct config config = {.server_max_requests = UINT32_MAX,
                                      .server_max_requests_jitter = UINT32_MAX};

        assert(fresh(&config, UINT32_MAX).max_requests == 2 * (uint64_t)UINT32_MAX);
}

static void test_memory_counts_after_three_looks_in_a_row(void)
{
        const struct config config = {.server_max_memory = LIMIT};
        struct wear wear = fresh(&config, 0);
        uint64_t now = NOW, requests = 1;

        memory = LIMIT + 1;
        for (int i = 0; i < WEAR_LOOKS - 1; i++, now += SECOND)
                assert(!wear_turn(&wear, requests++, now));
        memory = LIMIT; /* one peak is no leak */
        assert(!wear_turn(&wear, requests++, now));
        memory = LIMIT + 1;
        for (int i = 0; i < WEAR_LOOKS - 1; i++)
                assert(!wear_turn(&wear, requests++, now += SECOND));
        assert(wear_turn(&wear, requests++, now += SECOND));
        assert(wear.reason == WEAR_MEMORY && wear.memory == LIMIT + 1);
}

static void test_memory_is_measured_once_a_second_and_only_after_requests(void)
{
        const struct config config = {.server_max_memory = LIMIT};
        struct wear wear = fresh(&config, 0);

        assert(!wear_turn(&wear, 0, NOW) && measured == 0);
        assert(wear_wake_usec(&wear, 0) == USEC_NEVER); /* idle: sleeps */
        assert(!wear_turn(&wear, 1, NOW) && measured == 1);
        assert(!wear_turn(&wear, 2, NOW + SECOND / 2) && measured == 1);
        assert(wear_wake_usec(&wear, 2) == NOW + SECOND);
        assert(!wear_turn(&wear, 2, NOW + SECOND) && measured == 2);
        assert(!wear_turn(&wear, 2, NOW + 9 * SECOND) && measured == 2);
}

static void test_age_wakes_one_that_has_nothing_to_do(void)
{
        const struct config config = {.server_max_age = 60 * (uint64_t)SECOND};
        struct wear wear = fresh(&config, 0);
        uint64_t old = wear_wake_usec(&wear, 0);

        assert(old == NOW + 60 * (uint64_t)SECOND);
        assert(!wear_turn(&wear, 1000, old - 1));
        assert(wear_turn(&wear, 1000, old) && wear.reason == WEAR_AGE);
        assert(wear_wake_usec(&wear, 1000) == USEC_NEVER);
}

static void test_one_that_is_stuck_is_condemned_once(void)
{
        const struct config config = {.server_max_requests = 1};
        struct wear wear = fresh(&config, 0);

        assert(wear_turn(&wear, 1, NOW) && wear.reason == WEAR_REQUESTS);
        memory = 9;
        assert(wear_condemn(&wear, WEAR_STUCK) && wear.reason == WEAR_STUCK && wear.memory == 9);
        assert(!wear_condemn(&wear, WEAR_STUCK) && !wear_turn(&wear, 2, NOW));
        assert(!wear_condemn(&wear, WEAR_HUNG) && wear.reason == WEAR_STUCK);
        assert(strcmp(wear_reason_name(WEAR_STUCK), "request_timeout") == 0);
        assert(strcmp(wear_reason_name(WEAR_HUNG), "watchdog") == 0);
}

static void test_reasons_have_the_names_of_their_settings(void)
{
        assert(strcmp(wear_reason_name(WEAR_REQUESTS), "max_requests") == 0);
        assert(strcmp(wear_reason_name(WEAR_MEMORY), "max_memory") == 0);
        assert(strcmp(wear_reason_name(WEAR_AGE), "max_age") == 0);
}

static void test_texts_of_the_kernel_are_read(void)
{
        assert(private_memory_statm("1000 500 200 10 0 300 0\n", 4096) == 300 * UINT64_C(4096));
        assert(private_memory_statm("1000 500 501 10 0 300 0\n", 4096) == 0);
        assert(private_memory_statm("", 4096) == 0);
        assert(private_memory_rollup("1-2 ---p 0 00:00 0 [rollup]\nRss:  9 kB\nPrivate_Clean:  "
                                     "  8 kB\nPrivate_Dirty:    100 kB\n") == 108 * 1024);
        assert(private_memory_rollup("[rollup]\nPrivate_Clean: 8 kB\n") == UINT64_MAX);
        assert(private_memory_rollup("") == UINT64_MAX);
}

static void test_memory_that_is_touched_is_private(void)
{
        const size_t size = (size_t)32 << 20;
        uint64_t before = private_memory(), after;
        char *bytes = malloc(size);

        assert(bytes && before > 0);
        for (size_t i = 0; i < size; i += 1024)
                *(volatile char *)&bytes[i] = 1;
        after = private_memory();
        assert(after >= before + size * 9 / 10 && after < before + 2 * size);
        free(bytes);
}

int main(void)
{
        test_without_limits_it_serves_for_ever_and_nothing_is_measured();
        test_requests_are_counted_to_the_limit();
        test_jitter_reaches_every_number_up_to_itself_and_none_beyond();
        test_greatest_jitter_does_not_wrap();
        test_memory_counts_after_three_looks_in_a_row();
        test_memory_is_measured_once_a_second_and_only_after_requests();
        test_age_wakes_one_that_has_nothing_to_do();
        test_one_that_is_stuck_is_condemned_once();
        test_reasons_have_the_names_of_their_settings();
        test_texts_of_the_kernel_are_read();
        test_memory_that_is_touched_is_private();
        return 0;
}
