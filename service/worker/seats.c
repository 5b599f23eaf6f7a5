/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a job is like is known from those before it, or from how long it runs already. */
#include "worker/seats.h"

#include "base/clock.h"

void seats_init(struct seats *seats, unsigned n)
{
        *seats = (struct seats){.n_max = n};
        job_list_init(&seats->running);
}

bool job_is_long(const struct job *job)
{
        return job->habit && habit_is_long(job->habit);
}

/* Remembered, since it may be known better when it does not wait any more. */
void seats_await(struct seats *seats, struct job *job)
{
        job->taken_for_short = !job_is_long(job);
        seats->n_short_waiting += job->taken_for_short;
}

void seats_forget(struct seats *seats, struct job *job)
{
        seats->n_short_waiting -= job->taken_for_short;
}

static bool keeps_one(const struct seats *seats, uint64_t now)
{
        return seats->n_max > 1 && (seats->n_short_waiting > 0 || now < seats->kept_until);
}

static unsigned n_long(const struct seats *seats, uint64_t now)
{
        unsigned n = 0;

        for (const struct job *job = seats->running.first; job; job = job->next)
                n += job_is_long(job) || now > job->begun + HABIT_LONG_USEC;
        return n;
}

enum seats_room seats_room(const struct seats *seats, uint64_t now)
{
        if (seats->n >= seats->n_max)
                return SEATS_NONE;
        if (keeps_one(seats, now) && n_long(seats, now) >= seats->n_max - 1)
                return SEATS_FOR_SHORT;
        return SEATS_FOR_ALL;
}

void seats_enter(struct seats *seats, struct job *job)
{
        job->begun = now_usec();
        if (!job_is_long(job))
                seats->kept_until = job->begun + SEATS_KEPT_USEC;
        job_list_append(&seats->running, job);
        seats->n++;
}

void seats_leave(struct seats *seats, struct job *job, uint64_t took)
{
        job_list_remove(&seats->running, job);
        seats->n--;
        if (job->habit)
                habit_took(job->habit, took);
}

uint64_t seats_wake_usec(const struct seats *seats, uint64_t now)
{
        return seats->n < seats->n_max && now < seats->kept_until ? seats->kept_until : USEC_NEVER;
}
