/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ticket: what a record stands for, until the instant in which the record is in the log or is
 * counted as lost.
 *
 * It lies beside the bookkeeping that the record replaces, in memory that outlives the process, and
 * is filled in before that instant with what will be true from it on. So, whenever the process is
 * killed, either the bookkeeping counts or the record does. The log writes tickets and judges them.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* All zero: no record yet. */
struct ticket {
        _Atomic uint64_t end;  /* where the record ends in its ring */
        _Atomic uint64_t loss; /* the how many-th loss of its kind it is */
};

static inline void ticket_clear(struct ticket *ticket)
{
        atomic_store_explicit(&ticket->end, 0, memory_order_release);
        atomic_store_explicit(&ticket->loss, 0, memory_order_release);
}
