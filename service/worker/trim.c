/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc_trim(3) looks at the memory of all threads. It costs milliseconds, so it is worth it only
 * when much has been freed, and not too often. Loop thread. */
#include "worker/trim.h"

#include <malloc.h>

#include "base/clock.h"

/* Some 10 MB: each connection has 32 KiB and more. */
#define CROWD 256

/* It has left when no more of it are there than one of so many. */
#define LEFT 4

/* So long after most of them have left: the rest may be about to. */
#define CALM_USEC (2 * USEC_PER_SEC)

/* malloc_trim(3) first joins small pieces that were freed lately, the fast ones, to what is free
 * beside them. One at the end of a heap that is not the first makes all that is free before it the
 * rest of that heap, which it does not look at: 13 to 31 MB of a crowd of 25 to 37 stayed in most
 * runs. Without them each piece is joined when it is freed, and the rest of a heap given back. */
void trim_init(void)
{
        (void)mallopt(M_MXFAST, 0);
}

/* Those of a crowd that are still there are waited for as well. */
static void give_back(struct trim *trim, unsigned connections)
{
        (void)malloc_trim(0);
        trim->most = connections > CROWD / LEFT && connections < CROWD ? CROWD : connections;
        trim->due = 0;
}

void trim_turn(struct trim *trim, unsigned connections, uint64_t now)
{
        if (connections > trim->most)
                trim->most = connections;
        if (trim->most < CROWD || connections > trim->most / LEFT)
                trim->due = 0;
        else if (trim->due == 0)
                trim->due = now + CALM_USEC;
        else if (now >= trim->due)
                give_back(trim, connections);
}

uint64_t trim_wake_usec(const struct trim *trim)
{
        return trim->due == 0 ? USEC_NEVER : trim->due;
}
