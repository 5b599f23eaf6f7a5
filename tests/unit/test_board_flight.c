/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The in-flight table: the life of a slot, and what a reader makes of whatever it finds in one. */
#include "board/flight.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 4, RANDOM_SLOTS = 200000 };

struct bench {
        struct flight table[SLOTS];
        _Atomic uint32_t used;
        struct flights flights;
};

static struct bench *bench_new(void)
{
        struct bench *bench = calloc(1, sizeof(*bench));

        assert(bench);
        assert(flights_init(&bench->flights, bench->table, SLOTS, &bench->used) == 0);
        return bench;
}

static void bench_end(struct bench *bench)
{
        flights_done(&bench->flights);
        assert(bench->flights.n_vacant == 0);
        free(bench);
}

static struct flight *begin(struct bench *bench, const char *id)
{
        return flight_begin(&bench->flights, id, "192.0.2.1", "/a?b", strlen("/a?b"), 12345);
}

static enum flight_state state_of(const struct flight *flight)
{
        return (enum flight_state)atomic_load(&flight->state);
}

static void test_slot_tells_of_each_step_of_its_request(void)
{
        struct bench *bench = bench_new();
        struct flight *flight = begin(bench, "id");
        struct flight copy;

        assert(flight_read(flight, &copy) && state_of(&copy) == FLIGHT_BEGUN);
        assert(strcmp(copy.id, "id") == 0 && strcmp(copy.peer, "192.0.2.1") == 0 &&
               strcmp(copy.target, "/a?b") == 0 && copy.target_size == 4 &&
               copy.started_usec == 12345);
        assert(copy.method[0] == '\0' && copy.version[0] == '\0' && copy.app[0] == '\0');

        flight_describe(flight, "GET", "HTTP/1.1", NULL);
        flight_describe(flight, "GET", "HTTP/1.1", "shop");
        flight_set_state(flight, FLIGHT_WAITING);
        assert(flight_read(flight, &copy) && state_of(&copy) == FLIGHT_WAITING);
        assert(strcmp(copy.method, "GET") == 0 && strcmp(copy.version, "HTTP/1.1") == 0 &&
               strcmp(copy.app, "shop") == 0);
        assert(atomic_load(&copy.thread) == 0);

        flight_run(flight);
        assert(flight_read(flight, &copy) && state_of(&copy) == FLIGHT_RUNNING);
        assert(atomic_load(&copy.thread) == gettid() && atomic_load(&copy.status) == 0);

        flight_answer(flight, 404, 99);
        assert(flight_read(flight, &copy) && state_of(&copy) == FLIGHT_ANSWERED);
        assert(atomic_load(&copy.status) == 404 && atomic_load(&copy.response_bytes) == 99);

        flight_end(&bench->flights, flight);
        assert(!flight_read(flight, &copy));
        bench_end(bench);
}

static void test_slot_knows_nothing_of_the_request_before(void)
{
        struct bench *bench = bench_new();
        struct flight *flight = begin(bench, "a-long-name"), *again;
        struct flight copy;

        flight_describe(flight, "GET", "HTTP/1.1", "shop");
        flight_rename(flight, "the-proxy's-name");
        flight_run(flight);
        flight_answer(flight, 200, 5);
        atomic_store(&flight->ticket.end, 1);
        atomic_store(&flight->ticket.loss, 1);
        flight_end(&bench->flights, flight);

        again = flight_begin(&bench->flights, NULL, NULL, NULL, 0, 1);
        assert(again == flight && flight_read(again, &copy));
        assert(copy.id[0] == '\0' && copy.peer[0] == '\0' && copy.target[0] == '\0' &&
               copy.method[0] == '\0' && copy.version[0] == '\0' && copy.app[0] == '\0');
        assert(copy.target_size == 0 && copy.started_usec == 1);
        assert(atomic_load(&copy.status) == 0 && atomic_load(&copy.response_bytes) == 0 &&
               atomic_load(&copy.thread) == 0);
        assert(atomic_load(&copy.ticket.end) == 0 && atomic_load(&copy.ticket.loss) == 0);
        bench_end(bench);
}

static void test_name_counts_when_it_is_whole(void)
{
        struct bench *bench = bench_new();
        struct flight *flight = begin(bench, "ours"), copy;

        memcpy(flight->given_id, "thei", 4); /* as far as a killed worker got */
        assert(flight_read(flight, &copy) && strcmp(copy.id, "ours") == 0);
        flight_rename(flight, "theirs");
        assert(flight_read(flight, &copy) && strcmp(copy.id, "theirs") == 0);
        flight_rename(NULL, "theirs");
        bench_end(bench);
}

static void test_slot_freed_last_is_taken_first(void)
{
        struct bench *bench = bench_new();
        struct flight *first = begin(bench, "1"), *second = begin(bench, "2");

        assert(first == &bench->table[0] && second == &bench->table[1]);
        flight_end(&bench->flights, second);
        flight_end(&bench->flights, first);
        assert(begin(bench, "3") == first && begin(bench, "4") == second);
        assert(begin(bench, "5") == &bench->table[2]);
        bench_end(bench);
}

static void test_used_is_the_most_that_were_ever_taken_at_once(void)
{
        struct bench *bench = bench_new();
        struct flight *first, *second;

        assert(atomic_load(&bench->used) == 0);
        for (unsigned i = 0; i < 3; i++)
                flight_end(&bench->flights, begin(bench, "alone"));
        assert(atomic_load(&bench->used) == 1);

        first = begin(bench, "1");
        second = begin(bench, "2");
        assert(atomic_load(&bench->used) == 2);
        flight_end(&bench->flights, first);
        flight_end(&bench->flights, second);
        assert(atomic_load(&bench->used) == 2);
        bench_end(bench);
}

static void test_full_table_gives_nothing_and_nothing_is_done_to_it(void)
{
        struct bench *bench = bench_new();
        struct flight *flights[SLOTS];

        for (size_t i = 0; i < SLOTS; i++) {
                flights[i] = begin(bench, "x");
                assert(flights[i]);
        }
        assert(!begin(bench, "too many") && atomic_load(&bench->used) == SLOTS);
        flight_describe(NULL, "GET", "HTTP/1.1", NULL);
        flight_set_state(NULL, FLIGHT_RUNNING);
        flight_run(NULL);
        flight_answer(NULL, 200, 1);
        flight_end(&bench->flights, NULL);
        assert(!begin(bench, "still too many"));

        flight_end(&bench->flights, flights[2]);
        assert(begin(bench, "fits") == flights[2]);
        bench_end(bench);
}

static void test_table_without_slots_is_full(void)
{
        _Atomic uint32_t used = 0;
        struct flights flights = {0};

        assert(flights_init(&flights, NULL, 0, &used) == 0);
        assert(!flight_begin(&flights, "x", NULL, NULL, 0, 0) && atomic_load(&used) == 0);
        flights_done(&flights);
}

static void check_cut(const char *text, size_t room)
{
        assert(strlen(text) == room - 1 && strspn(text, "x") == room - 1);
}

static void test_long_texts_are_cut_and_the_targets_whole_size_is_kept(void)
{
        struct bench *bench = bench_new();
        struct flight *flight;
        struct flight copy;
        char text[2000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        flight = flight_begin(&bench->flights, text, text, text, strlen(text), 0);
        flight_describe(flight, text, text, text);
        assert(flight_read(flight, &copy));
        check_cut(copy.id, sizeof(copy.id));
        check_cut(copy.peer, sizeof(copy.peer));
        check_cut(copy.method, sizeof(copy.method));
        check_cut(copy.version, sizeof(copy.version));
        check_cut(copy.app, sizeof(copy.app));
        check_cut(copy.target, sizeof(copy.target));
        assert(copy.target_size == strlen(text));
        bench_end(bench);
}

static void test_target_that_just_fits_is_whole(void)
{
        struct bench *bench = bench_new();
        char target[FLIGHT_TARGET_MAX];
        struct flight copy;

        memset(target, 'x', sizeof(target)); /* what follows its end is not looked at */
        assert(flight_read(flight_begin(&bench->flights, "a", "b", target, sizeof(target) - 1, 0),
                           &copy));
        check_cut(copy.target, sizeof(copy.target));
        assert(copy.target_size == sizeof(copy.target) - 1);
        bench_end(bench);
}

static void scribble(void *memory, size_t size, unsigned *seed)
{
        unsigned char *bytes = memory;

        for (size_t i = 0; i < size; i++)
                bytes[i] = (unsigned char)(rand_r(seed) >> 8);
}

static bool ends(const char *text, size_t room)
{
        return memchr(text, '\0', room);
}

static bool plain(const char *text, size_t room)
{
        if (!ends(text, room))
                return false;
        for (; *text; text++)
                if (iscntrl((unsigned char)*text))
                        return false;
        return true;
}

static void check_within_limits(const struct flight *copy)
{
        assert(state_of(copy) > FLIGHT_FREE && state_of(copy) < FLIGHT_STATES_MAX);
        assert(atomic_load(&copy->status) <= 999);
        assert(plain(copy->id, sizeof(copy->id)) && plain(copy->peer, sizeof(copy->peer)) &&
               plain(copy->method, sizeof(copy->method)) &&
               plain(copy->version, sizeof(copy->version)) && plain(copy->app, sizeof(copy->app)) &&
               ends(copy->target, sizeof(copy->target)));
}

/* Both on the heap, so that a sanitizer sees each byte too many. */
static void test_copy_of_whatever_a_slot_holds_keeps_within_its_limits(void)
{
        struct flight *flight = malloc(sizeof(*flight)), *copy = malloc(sizeof(*copy));
        unsigned seed = 1, n = 0;

        assert(flight && copy);
        scribble(flight, sizeof(*flight), &seed);
        for (unsigned i = 0; i < RANDOM_SLOTS; i++) {
                size_t at = (unsigned)rand_r(&seed) % sizeof(*flight);
                size_t left = sizeof(*flight) - at;

                scribble((char *)flight + at, left < 16 ? left : 16, &seed);
                if (i % 2 == 0)
                        atomic_store(&flight->state, i / 2 % (FLIGHT_STATES_MAX + 1));
                if (!flight_read(flight, copy))
                        continue;
                check_within_limits(copy);
                n++;
        }
        assert(n > RANDOM_SLOTS / 4);
        free(flight);
        free(copy);
}

static void test_text_in_a_line_cannot_end_it(void)
{
        struct flight flight = {0}, copy;

        flight_set_state(&flight, FLIGHT_RUNNING);
        flight_describe(&flight, "GE\nT", "HTTP\x7f", "caf\xc3\xa9");
        (void)snprintf(flight.target, sizeof(flight.target), "/a\nb");
        assert(flight_read(&flight, &copy));
        assert(strcmp(copy.method, "GE?T") == 0 && strcmp(copy.version, "HTTP?") == 0 &&
               strcmp(copy.app, "caf\xc3\xa9") == 0);
        assert(strcmp(copy.target, "/a\nb") == 0); /* who shows it escapes it */
}

static void test_slot_in_a_state_that_does_not_exist_is_free(void)
{
        struct flight flight = {0}, copy;

        assert(!flight_read(&flight, &copy));
        atomic_store(&flight.state, FLIGHT_STATES_MAX);
        assert(!flight_read(&flight, &copy));
        atomic_store(&flight.state, UINT32_MAX);
        assert(!flight_read(&flight, &copy));
}

static void test_status_that_no_client_gets_is_none(void)
{
        struct flight flight = {0}, copy;

        flight_answer(&flight, 999, 0);
        assert(flight_read(&flight, &copy) && atomic_load(&copy.status) == 999);
        flight_answer(&flight, 1000, 0);
        assert(flight_read(&flight, &copy) && atomic_load(&copy.status) == 0);
}

static void test_each_state_has_a_name(void)
{
        for (enum flight_state state = FLIGHT_FREE; state < FLIGHT_STATES_MAX; state++)
                assert(strcmp(flight_state_name(state), "unknown") != 0);
        assert(strcmp(flight_state_name(FLIGHT_RUNNING), "running") == 0);
        assert(strcmp(flight_state_name(FLIGHT_STATES_MAX), "unknown") == 0);
}

int main(void)
{
        test_slot_tells_of_each_step_of_its_request();
        test_slot_knows_nothing_of_the_request_before();
        test_name_counts_when_it_is_whole();
        test_slot_freed_last_is_taken_first();
        test_used_is_the_most_that_were_ever_taken_at_once();
        test_full_table_gives_nothing_and_nothing_is_done_to_it();
        test_table_without_slots_is_full();
        test_long_texts_are_cut_and_the_targets_whole_size_is_kept();
        test_target_that_just_fits_is_whole();
        test_copy_of_whatever_a_slot_holds_keeps_within_its_limits();
        test_text_in_a_line_cannot_end_it();
        test_slot_in_a_state_that_does_not_exist_is_free();
        test_status_that_no_client_gets_is_none();
        test_each_state_has_a_name();
        return 0;
}
