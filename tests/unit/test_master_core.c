/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How cores are named: by systemd-coredump, by others, and by the kernel's own patterns. */
#include "master/core.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PID = 77 };

static const char *named(const char *pattern, bool uses_pid, bool systemd, const char *folder)
{
        static char name[CORE_NAME_MAX];

        core_name(name, &(struct core_facts){.pid = PID,
                                             .signal = SIGSEGV,
                                             .pattern = pattern,
                                             .uses_pid = uses_pid,
                                             .systemd = systemd,
                                             .folder = folder});
        return name;
}

static bool is(const char *pattern, const char *expected)
{
        return strcmp(named(pattern, false, false, "/nonexistent"), expected) == 0;
}

static void test_handlers(void)
{
        assert(is("|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h",
                  "coredumpctl info 77"));
        assert(is("@@/run/systemd/coredump", "coredumpctl info 77"));
        assert(is("|/usr/share/apport/apport -p%p -s%s", "handed to /usr/share/apport/apport"));
        /* Where the pattern is hidden, systemd's socket is seen; it says nothing of one that is
         * not. */
        assert(strcmp(named(NULL, false, true, "/nonexistent"), "coredumpctl info 77") == 0);
        assert(strcmp(named("core", false, true, "/nonexistent"), "core") == 0);
}

static void test_patterns(void)
{
        assert(is("core", "core"));
        assert(is("core.%p", "core.77"));
        assert(is("/var/cores/%s-%p%%", "/var/cores/11-77%"));
        assert(is("core%", "core%"));
        assert(strcmp(named("core", true, false, "/nonexistent"), "core.77") == 0);
        assert(strcmp(named("core-%p", true, false, "/nonexistent"), "core-77") == 0);
        /* The time of the death, the name of the thread: as it is written there. */
        assert(is("/var/cores/%e.%p.%t", "/var/cores/%e.%p.%t"));
        assert(is("", ""));
}

static void test_pattern_that_is_too_long_is_cut(void)
{
        char pattern[CORE_NAME_MAX + 100];

        memset(pattern, 'x', sizeof(pattern) - 1);
        pattern[sizeof(pattern) - 1] = '\0';
        assert(strlen(named(pattern, true, false, "/nonexistent")) == CORE_NAME_MAX - 1);
}

static void test_file_that_is_there_is_named_whole(void)
{
        char folder[] = "/tmp/test_master_core.XXXXXX", path[64];
        int fd;

        assert(mkdtemp(folder));
        (void)snprintf(path, sizeof(path), "%s/core.77", folder);
        /* Nothing is known of the pattern, and nothing is there. */
        assert(strcmp(named(NULL, true, false, folder), "") == 0);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert(fd >= 0 && close(fd) == 0);
        assert(strcmp(named("core.%p", false, false, folder), path) == 0);
        assert(strcmp(named(NULL, true, false, folder), path) == 0);
        assert(strcmp(named(path, false, false, "/nonexistent"), path) == 0);
        assert(unlink(path) == 0 && rmdir(folder) == 0);
}

int main(void)
{
        test_handlers();
        test_patterns();
        test_pattern_that_is_too_long_is_cut();
        test_file_that_is_there_is_named_whole();
        return 0;
}
