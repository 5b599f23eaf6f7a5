/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kills for want of memory, as the kernel counts them. */
#include "master/oom.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1000 };

/* A folder in place of /sys/fs/cgroup. */
struct groups {
        char root[64];
        char folder[128];
        char file[256];
};

static void set_count(const struct groups *groups, const char *text)
{
        FILE *file = fopen(groups->file, "w");

        assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void begin(struct groups *groups, const char *folder, const char *name, const char *text)
{
        (void)snprintf(groups->root, sizeof(groups->root), "/tmp/test_master_oom.XXXXXX");
        assert(mkdtemp(groups->root));
        (void)snprintf(groups->folder, sizeof(groups->folder), "%s/%s", groups->root, folder);
        (void)snprintf(groups->file, sizeof(groups->file), "%s/%s", groups->folder, name);
        assert(mkdir(groups->folder, 0700) == 0);
        set_count(groups, text);
}

static void end(const struct groups *groups)
{
        assert(unlink(groups->file) == 0);
        assert(rmdir(groups->folder) == 0 && rmdir(groups->root) == 0);
}

static void test_each_kill_that_is_counted_is_one_death(void)
{
        struct groups groups;
        struct oom oom;

        begin(&groups, "a.service", "memory.events", "low 0\noom 9\noom_kill 5\n");
        oom_begin(&oom, "1:name=systemd:/x\n0::/a.service\n", groups.root, NOW);
        assert(!oom_claim(&oom, NOW)); /* those were before our time */
        set_count(&groups, "low 0\noom 9\noom_kill 7\noom_group_kill 70\n");
        assert(oom_claim(&oom, NOW) && oom_claim(&oom, NOW) && !oom_claim(&oom, NOW));
        end(&groups);
}

static void test_what_nobody_claims_is_forgotten(void)
{
        struct groups groups;
        struct oom oom;

        begin(&groups, "a", "memory.events", "oom_kill 0\n");
        oom_begin(&oom, "0::/a\n", groups.root, NOW);
        set_count(&groups, "oom_kill 1\n");
        oom_turn(&oom, NOW + 1);
        oom_turn(&oom, NOW + 1 + OOM_PATIENCE_USEC);
        set_count(&groups, "oom_kill 2\n");
        oom_turn(&oom, NOW + 2 + OOM_PATIENCE_USEC);
        assert(oom_claim(&oom, NOW + 2 + OOM_PATIENCE_USEC));
        oom_turn(&oom, NOW + 3 + 2 * OOM_PATIENCE_USEC);
        assert(!oom_claim(&oom, NOW + 3 + 2 * OOM_PATIENCE_USEC));
        end(&groups);
}

static void test_first_version_of_control_groups_counts_elsewhere(void)
{
        struct groups groups;
        struct oom oom;

        begin(&groups, "memory", "memory.oom_control",
              "oom_kill_disable 0\nunder_oom 0\noom_kill 3");
        oom_begin(&oom, "9:name=systemd:/\n3:memory:\n0::/a\n", groups.root, NOW);
        assert(!oom_claim(&oom, NOW));
        set_count(&groups, "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
        assert(oom_claim(&oom, NOW) && !oom_claim(&oom, NOW));
        end(&groups);
}

static void test_without_a_count_nobody_is_accused(void)
{
        struct oom oom;

        oom_begin(&oom, "0::/nowhere\n", "/nowhere", NOW);
        assert(!oom.path[0] && !oom_claim(&oom, NOW));
        oom_begin(&oom, "", "/sys/fs/cgroup", NOW);
        oom_turn(&oom, NOW);
        assert(!oom_claim(&oom, NOW));
        oom_begin_self(&oom);
}

int main(void)
{
        test_each_kill_that_is_counted_is_one_death();
        test_what_nobody_claims_is_forgotten();
        test_first_version_of_control_groups_counts_elsewhere();
        test_without_a_count_nobody_is_accused();
        return 0;
}
