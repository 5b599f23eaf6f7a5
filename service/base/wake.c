/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One write to an eventfd for many reasons to wake. */
#include "base/wake.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"

/* While somebody is about to write, the write is not there to be read: a reader who took the word
 * for it would leave the descriptor readable, with nobody to read it. */
enum { QUIET, WRITING, TOLD };

int wake_init(struct wake *wake)
{
        atomic_init(&wake->state, QUIET);
        wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return wake->fd < 0 ? -errno : 0;
}

void wake_done(struct wake *wake)
{
        close_descriptor(&wake->fd);
        wake->fd = -1;
}

void wake_tell(struct wake *wake)
{
        int quiet = QUIET;

        /* Either the state is seen as it is now, or what was made visible is by wake_take()'s
         * caller. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!atomic_compare_exchange_strong(&wake->state, &quiet, WRITING))
                return;
        (void)eventfd_write(wake->fd, 1);
        atomic_store(&wake->state, TOLD);
}

/* The state goes last: who finds it up did his part before, so that is seen now. Of one who is
 * still writing the descriptor tells in the next turn. */
void wake_take(struct wake *wake)
{
        eventfd_t count;

        if (atomic_load(&wake->state) != TOLD)
                return;
        (void)eventfd_read(wake->fd, &count);
        atomic_store(&wake->state, QUIET);
        atomic_thread_fence(memory_order_seq_cst);
}
