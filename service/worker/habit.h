/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Habits: whether the requests for one path use to take long. What is learned of a path is a guess
 * about the next request for it, so it decides who waits, never who is answered.
 *
 * Guarded by the pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beyond it others notice that they wait. */
#define HABIT_LONG_USEC UINT64_C(2000)

/* How long one took that says nothing. */
#define HABIT_UNKNOWN UINT64_MAX

#define HABITS_MAX 1024

/* Of the paths that fall on the same place. */
struct habit {
        uint8_t score;
};

struct habits {
        struct habit of[HABITS_MAX];
};

/** habit_find() - that of a path of an application; @seed: so that nobody can choose the place. */
struct habit *habit_find(struct habits *habits, uint64_t seed, const char *path, size_t size);

/** habit_took() - a request took so long. */
void habit_took(struct habit *habit, uint64_t usec);

/** habit_is_long() - whether the next one is likely to take long. */
bool habit_is_long(const struct habit *habit);
