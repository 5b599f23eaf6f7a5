/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc_trim(3) looks at the memory of all threads. It costs milliseconds, so it is worth it only
 * when much has been freed, and not too often. Loop thread. */
#include "worker/trim.h"

#include <malloc.h>

#include "base/clock.h"

/* Some 10 MB: each connection has 32 KiB and more. */
#define CROWD 256

/* So long after most of them have left: the rest may be about to. */
#define CALM_USEC (2 * USEC_PER_SEC)

void trim_turn(struct trim *trim, unsigned connections, uint64_t now)
{
        if (connections > trim->most)
                trim->most = connections;
        if (trim->most < CROWD || connections > trim->most / 4) {
                trim->next = now + CALM_USEC;
                return;
        }
        if (now < trim->next)
                return;
        (void)malloc_trim(0);
        trim->most = connections;
}
