/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel has killed the programs themselves (PR_SET_PDEATHSIG); here goes what they forked. */
#include "master/orphans.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board/flight.h"
#include "master/generation.h"

/* At once; the rest has time. */
#define REAPED_MAX 1000

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

/* One whose receipt has not been read yet is no orphan. */
static bool awaits_child(const struct generation *generation)
{
        for (; generation; generation = generation->next)
                if (generation->preload && generation->preload->ordered)
                        return true;
        return false;
}

void orphans_reap(struct generation *generations)
{
        siginfo_t dead = {0};

        for (unsigned i = 0; i < REAPED_MAX && !awaits_child(generations); i++) {
                if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) < 0 || dead.si_pid == 0 ||
                    generations_find(generations, dead.si_pid))
                        return;
                (void)waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG);
        }
}
