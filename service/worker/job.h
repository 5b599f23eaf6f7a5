/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job: one piece of work for the pool, and lists of such. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct habit;
struct lane;

/* Owned by whoever submits it; the pool's between pool_submit() and pool_collect(). */
struct job {
        struct job *next;
        struct job **link; /* what points to it in its list */
        struct job *next_with_news;
        bool waits;
        bool taken_for_short; /* by seats.c, when it began to wait */
        bool has_news;
        uint64_t submitted; /* now_usec() then */
        uint64_t begun;     /* and then */
        uint64_t ran;       /* thread_usec() of the leader that ran it when he was overtaken */
        struct lane *lane;
        struct habit *habit;          /* of those that are like it; NULL: there are none */
        void (*run)(struct job *job); /* may block */
};

struct job_list {
        struct job *first;
        struct job **end; /* where the next one is linked in */
};

static inline void job_list_init(struct job_list *list)
{
        list->first = NULL;
        list->end = &list->first;
}

static inline void job_list_append(struct job_list *list, struct job *job)
{
        job->next = NULL;
        job->link = list->end;
        *list->end = job;
        list->end = &job->next;
}

static inline void job_list_remove(struct job_list *list, struct job *job)
{
        *job->link = job->next;
        if (job->next)
                job->next->link = job->link;
        else
                list->end = job->link;
        job->link = NULL;
}
