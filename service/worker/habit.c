/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A score of two bits, as processors have for each branch: one request that is unlike the others
 * changes nothing. */
#include "worker/habit.h"

#define SCORE_LONG 2 /* and above */
#define SCORE_MAX  3

/* FNV-1a. */
struct habit *habit_find(struct habits *habits, uint64_t seed, const char *path, size_t size)
{
        uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)path[i]) * UINT64_C(0x100000001b3);
        return &habits->of[(hash ^ hash >> 32) % HABITS_MAX];
}

void habit_took(struct habit *habit, uint64_t usec)
{
        if (usec == HABIT_UNKNOWN)
                return;
        if (usec > HABIT_LONG_USEC && habit->score < SCORE_MAX)
                habit->score++;
        else if (usec <= HABIT_LONG_USEC && habit->score > 0)
                habit->score--;
}

bool habit_is_long(const struct habit *habit)
{
        return habit->score >= SCORE_LONG;
}
