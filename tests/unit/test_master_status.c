/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status line, and what `workers = auto` takes from a cgroup's quota. */
#include "master/cpus.h"
#include "master/status.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"

static void check(const struct status_sample *before, const struct status_sample *now,
                  uint64_t backlog, const char *want)
{
        char text[256];

        status_format(text, sizeof(text), before, now, backlog);
        assert(strcmp(text, want) == 0);
}

static void test_line_tells_workers_rate_latency_backlog_and_log(void)
{
        struct status_sample before = {.taken_usec = USEC_PER_SEC, .requests = 1000};
        struct status_sample now = {
                .taken_usec = 2 * USEC_PER_SEC, .workers = 4, .busy = 1, .requests = 2234};

        check(&before, &now, 0, "4 workers (1 busy), 1,234 req/s, backlog 0, log ok");
        now.workers = 1;
        now.log_lost = 1234567;
        check(&before, &now, 4096,
              "1 worker (1 busy), 1,234 req/s, backlog 4,096, log: 1,234,567 lost");
}

static void test_workers_that_are_missing_and_the_range_are_told(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(2, 8), 0, 1);
        struct status_sample now = {.workers = 3};
        struct scale scale;

        scale_init(&scale, &bounds, 4);
        status_wanted(&now, &scale);
        check(&now, &now, 0, "3 of 4 workers of 2-8 (0 busy), 0 req/s, backlog 0, log ok");
        now.workers = 4;
        check(&now, &now, 0, "4 workers of 2-8 (0 busy), 0 req/s, backlog 0, log ok");
        now = (struct status_sample){.workers = 0, .wanted = 1};
        check(&now, &now, 0, "0 of 1 worker (0 busy), 0 req/s, backlog 0, log ok");
}

static void test_backlog_that_nobody_can_tell_is_left_out(void)
{
        const struct status_sample sample = {.taken_usec = USEC_PER_SEC, .workers = 2};

        check(&sample, &sample, UINT64_MAX, "2 workers (0 busy), 0 req/s, log ok");
}

static void test_latency_is_that_of_the_interval(void)
{
        static struct board_slot slot;
        struct status_sample before = {.taken_usec = 0}, now = {.taken_usec = USEC_PER_SEC};

        for (int i = 0; i < 100; i++)
                board_count_request(&slot, 200, 90 * USEC_PER_SEC);
        status_add(&before, &slot);
        for (int i = 0; i < 100; i++)
                board_count_request(&slot, 200, 8000);
        status_add(&now, &slot);
        check(&before, &now, 0, "1 worker (0 busy), 100 req/s, p99 8 ms, backlog 0, log ok");
}

static void test_counters_that_went_back_count_from_zero(void)
{
        struct status_sample before = {.taken_usec = 0, .workers = 2, .requests = 1000000};
        struct status_sample now = {.taken_usec = USEC_PER_SEC, .workers = 2, .requests = 10};

        check(&before, &now, 0, "2 workers (0 busy), 10 req/s, backlog 0, log ok");
        check(&now, &now, 0, "2 workers (0 busy), 0 req/s, backlog 0, log ok");
}

static void test_long_lines_are_cut_not_overrun(void)
{
        const struct status_sample sample = {.requests = UINT64_MAX, .log_lost = UINT64_MAX};
        char text[16];

        memset(text, 'x', sizeof(text));
        status_format(text, 8, &sample, &sample, UINT64_MAX);
        assert(strlen(text) == 7 && text[8] == 'x');
}

static void test_quota_is_rounded_up_and_nonsense_is_no_limit(void)
{
        assert(cpus_of_quota("200000 100000") == 2);
        assert(cpus_of_quota("200001 100000") == 3);
        assert(cpus_of_quota("1 100000") == 1);
        assert(cpus_of_quota("max 100000") == 0);
        assert(cpus_of_quota("200000 0") == 0);
        assert(cpus_of_quota("200000") == 0);
        assert(cpus_of_quota("") == 0);
        assert(cpus_of_quota("-1 -1") == 0);
        assert(cpus_of_quota("18446744073709551615 1") == 0);
        assert(cpus_usable() >= 1);
}

static void write_quota(const char *folder, const char *text)
{
        char path[128];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/cpu.max", folder);
        file = fopen(path, "we");
        assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_quota(const char *folder)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/cpu.max", folder);
        assert(unlink(path) == 0 && rmdir(folder) == 0);
}

static unsigned cpus_below(const char *root, const char *cgroup)
{
        char name[64];

        (void)snprintf(name, sizeof(name), "%s", cgroup);
        return cpus_of_cgroup(8, root, name);
}

/* In a container the root of the tree has a quota, on a machine it has no such file. */
static void test_tightest_quota_up_to_the_root_counts(void)
{
        char root[] = "/tmp/test_master_status.XXXXXX", slice[64], service[96];

        assert(mkdtemp(root));
        (void)snprintf(slice, sizeof(slice), "%s/a.slice", root);
        (void)snprintf(service, sizeof(service), "%s/b.service", slice);
        assert(mkdir(slice, 0700) == 0 && mkdir(service, 0700) == 0);
        assert(cpus_below(root, "/a.slice/b.service") == 8);

        write_quota(service, "max 100000\n");
        write_quota(slice, "300000 100000\n");
        write_quota(root, "400000 100000\n");
        assert(cpus_below(root, "/a.slice/b.service") == 3);
        write_quota(root, "200000 100000\n");
        assert(cpus_below(root, "/a.slice/b.service") == 2);
        assert(cpus_below(root, "/") == 2);
        assert(cpus_below(root, "/gone/away") == 2);
        write_quota(service, "100000 100000\n");
        assert(cpus_below(root, "/a.slice/b.service") == 1);

        remove_quota(service);
        remove_quota(slice);
        remove_quota(root);
}

int main(void)
{
        test_line_tells_workers_rate_latency_backlog_and_log();
        test_workers_that_are_missing_and_the_range_are_told();
        test_backlog_that_nobody_can_tell_is_left_out();
        test_latency_is_that_of_the_interval();
        test_counters_that_went_back_count_from_zero();
        test_long_lines_are_cut_not_overrun();
        test_quota_is_rounded_up_and_nonsense_is_no_limit();
        test_tightest_quota_up_to_the_root_counts();
        return 0;
}
