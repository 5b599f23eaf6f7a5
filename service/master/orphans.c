/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel has killed the programs themselves (PR_SET_PDEATHSIG); here goes what they forked. */
#include "master/orphans.h"

#include <signal.h>
#include <unistd.h>

#include "board/flight.h"

/* A worker that scribbled over its box may name anything: never all processes, nor our own. */
void orphans_kill(const struct box *box)
{
        unsigned n = box_flights_used(box);

        for (unsigned i = 0; i < n; i++) {
                pid_t group = atomic_load(&box->flights[i].group);

                if (group > 1 && group != getpgrp())
                        (void)kill(-group, SIGKILL);
        }
}
