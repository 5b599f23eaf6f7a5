/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The baton: who leads. The leader lends it while he runs a job, and keeps it unless another thread
 * has taken it meanwhile. A number tells one job from the next. No lock, no waiting.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct baton {
        _Atomic uint64_t word;  /* odd: lent */
        _Atomic uint64_t since; /* now_usec() when it was lent */
};

/** baton_look() - as it is now; what changes is another job, or none. */
static inline uint64_t baton_look(const struct baton *baton)
{
        return atomic_load(&baton->word);
}

static inline bool baton_is_lent(uint64_t word)
{
        return word % 2 == 1;
}

/** baton_lend() - the leader does something else, from @now on. Return: what baton_keep() needs. */
static inline uint64_t baton_lend(struct baton *baton, uint64_t now)
{
        atomic_store_explicit(&baton->since, now, memory_order_relaxed);
        return atomic_fetch_add(&baton->word, 1) + 1;
}

/** baton_keep() - he has done it. Return: whether he still leads. */
static inline bool baton_keep(struct baton *baton, uint64_t lent)
{
        return atomic_compare_exchange_strong(&baton->word, &lent, lent + 1);
}

/** baton_take() - lead instead of who lent it at @lent, as baton_look() gave it, if that was before
 * @before. Return: false when it was not, or he has kept it. */
static inline bool baton_take(struct baton *baton, uint64_t lent, uint64_t before)
{
        /* What is read belongs to @lent, or the exchange fails. */
        return atomic_load_explicit(&baton->since, memory_order_relaxed) < before &&
               atomic_compare_exchange_strong(&baton->word, &lent, lent + 1);
}
