/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When memory is given back. */
#include "worker/trim.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "skip.h"
#include "worker/private_memory.h"

/* The sanitizers' malloc() keeps what is freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { MANY = 1000, SOME = 200, FEW = 10 };

/* As a crowd of connections takes them, with small ones at the end, more than a thread keeps. */
enum { PIECES = 500, PIECE = 33000, SMALL_PIECES = 20, SMALL_PIECE = 100, LEFT_MAX = 2 << 20 };

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

struct memory {
        uint64_t with, after;
};

static void take(void *pieces[], unsigned n, size_t size)
{
        for (unsigned i = 0; i < n; i++) {
                pieces[i] = malloc(size);
                assert(pieces[i]);
                memset(pieces[i], 'x', size);
        }
}

static void free_all(void *pieces[], unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                free(pieces[i]);
}

/* In a heap of its own, which its end would give back, too. */
static void *take_and_free(void *data)
{
        void *for_the_thread[SMALL_PIECES], *pieces[PIECES], *at_the_end[SMALL_PIECES];
        struct memory *memory = data;

        take(for_the_thread, SMALL_PIECES, SMALL_PIECE);
        take(pieces, PIECES, PIECE);
        take(at_the_end, SMALL_PIECES, SMALL_PIECE);
        memory->with = private_memory();
        free_all(for_the_thread, SMALL_PIECES);
        free_all(pieces, PIECES);
        free_all(at_the_end, SMALL_PIECES);
        (void)malloc_trim(0);
        memory->after = private_memory();
        return NULL;
}

static void test_the_heap_of_a_thread_is_given_back(void)
{
        struct memory memory;
        pthread_t thread;
        uint64_t before;

        if (SANITIZED) {
                not_tried = "the sanitizer keeps what was freed";
                return;
        }
        before = private_memory();
        assert(pthread_create(&thread, NULL, take_and_free, &memory) == 0);
        assert(pthread_join(thread, NULL) == 0);
        assert(memory.with > before + PIECES * (uint64_t)PIECE * 9 / 10);
        assert(memory.after < before + LEFT_MAX);
}

int main(void)
{
        trim_init();
        test_the_heap_of_a_thread_is_given_back();
        test_once_after_a_crowd();
        test_again_when_the_rest_of_it_has_left();
        test_put_off_when_another_crowd_comes();
        test_few_are_no_crowd();
        return ending();
}
