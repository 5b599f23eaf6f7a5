/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many processors this service may use: what `workers = auto` means. */
#pragma once

/** cpus_of_quota() - processors that a cgroup's cpu.max ("200000 100000", "max 100000") allows,
 * rounded up; 0: no limit or no sense. */
unsigned cpus_of_quota(const char *text);

/** cpus_of_cgroup() - @cpus, as far as the quotas of @cgroup ("/a/b"; shortened) and of all above
 * it allow; @root: where the tree of cgroups is mounted. Reads files. */
unsigned cpus_of_cgroup(unsigned cpus, const char *root, char *cgroup);

/** cpus_usable() - processors of the affinity mask, as far as the cgroup's quota and those above it
 * allow; at least 1. Reads files. */
unsigned cpus_usable(void);
