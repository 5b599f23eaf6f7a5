/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One write to an eventfd for many reasons to wake. */
#include "base/wake.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"

int wake_init(struct wake *wake)
{
        atomic_init(&wake->told, false);
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
        if (!atomic_exchange(&wake->told, true))
                (void)eventfd_write(wake->fd, 1);
}

/* The flag goes last: who finds it up did his part before, so that is seen now. The other way round
 * a write could be read whose flag stays up, and nobody would write again. */
void wake_take(struct wake *wake)
{
        eventfd_t count;

        if (!atomic_load_explicit(&wake->told, memory_order_relaxed))
                return;
        (void)eventfd_read(wake->fd, &count);
        (void)atomic_exchange(&wake->told, false);
}
