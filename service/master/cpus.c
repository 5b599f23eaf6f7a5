/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Affinity mask and cgroup v2 quotas. In a container of four processors on a machine of 64, 4 is
 * the answer. */
#include "master/cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

unsigned cpus_of_quota(const char *text)
{
        char quota[NUMBER_TEXT_MAX], period[NUMBER_TEXT_MAX];
        uint64_t quota_usec, period_usec, cpus;

        if (sscanf(text, "%31s %31s", quota, period) != 2 || parse_number(quota, &quota_usec) < 0 ||
            parse_number(period, &period_usec) < 0 || period_usec == 0)
                return 0;
        cpus = quota_usec / period_usec + (quota_usec % period_usec != 0);
        return cpus > UINT_MAX ? 0 : (unsigned)cpus;
}

static bool read_line(const char *path, char *line, int size)
{
        FILE *file = fopen(path, "re");
        bool done;

        if (!file)
                return false;
        done = fgets(line, size, file) != NULL;
        (void)fclose(file);
        line[done ? strcspn(line, "\n") : 0] = '\0';
        return done;
}

static unsigned less(unsigned a, unsigned b)
{
        return b != 0 && b < a ? b : a;
}

/* The root is asked too: in a container it is not the machine's. */
unsigned cpus_of_cgroup(unsigned cpus, const char *root, char *cgroup)
{
        char path[PATH_MAX + 64], line[128];
        char *slash;

        for (;;) {
                (void)snprintf(path, sizeof(path), "%s%s/cpu.max", root, cgroup);
                if (read_line(path, line, sizeof(line)))
                        cpus = less(cpus, cpus_of_quota(line));
                slash = strrchr(cgroup, '/');
                if (!slash)
                        return cpus;
                *slash = '\0';
        }
}

static unsigned affine(void)
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

unsigned cpus_usable(void)
{
        char line[PATH_MAX];
        unsigned cpus = affine();

        /* "0::/system.slice/appsrv.service"; other lines are of version 1. */
        if (read_line("/proc/self/cgroup", line, sizeof(line)) && strncmp(line, "0::/", 4) == 0)
                cpus = cpus_of_cgroup(cpus, CGROUP_ROOT, line + 3);
        return cpus > 0 ? cpus : 1;
}
