/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel has killed the programs themselves (PR_SET_PDEATHSIG); here goes what they forked, and
 * what took care not to be killed. */
#include "master/orphans.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strays.h"
#include "board/flight.h"
#include "master/generation.h"

/* At once; the rest has time. */
#define REAPED_MAX 1000

/* So many programs are looked for at once. */
#define STRAYS_MAX 64

/* A worker that scribbled over its box may name anything: never all processes, nor our own. */
void orphans_kill(const struct box *box)
{
        unsigned n = box_flights_used(box), n_programs = 0;
        pid_t programs[STRAYS_MAX];

        for (unsigned i = 0; i < n; i++) {
                pid_t group = atomic_load(&box->flights[i].group);

                if (group <= 1 || group == getpgrp())
                        continue;
                (void)kill(-group, SIGKILL);
                programs[n_programs++] = group;
                if (n_programs == STRAYS_MAX) {
                        strays_kill(programs, n_programs);
                        n_programs = 0;
                }
        }
        if (n_programs > 0)
                strays_kill(programs, n_programs);
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

static int on_death(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
        struct generation **generations = data;

        (void)source;
        (void)info;
        orphans_reap(*generations);
        return 0;
}

int orphans_take_in(sd_event *event, struct generation **generations)
{
        int r;

        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return -errno;
        r = sd_event_add_signal(event, NULL, SIGCHLD, on_death, (void *)generations);
        return r < 0 ? r : 0;
}
