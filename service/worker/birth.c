/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process without its master ends; what it prints has its own pipes; it has a name. */
#include "worker/birth.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

int birth(pid_t master, const char *name, const int prints[static 2])
{
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
                return -errno;
        if (getppid() != master)
                return -ESRCH;
        (void)prctl(PR_SET_NAME, name);
        if (dup2(prints[0], STDOUT_FILENO) < 0 || dup2(prints[1], STDERR_FILENO) < 0)
                return -errno;
        return 0;
}
