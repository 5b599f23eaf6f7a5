/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/route.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static char root[] = "/", a[] = "/a", a_b[] = "/a/b";

static int route(const struct config *config, const char *path)
{
        return route_find(config, path, strlen(path));
}

static void test_longest_mount_at_a_segment_boundary_wins(void)
{
        struct app_config apps[] = {{.mount = root}, {.mount = a}, {.mount = a_b}};
        struct config config = {.apps = apps, .n_apps = 3};

        assert(route(&config, "/") == 0);
        assert(route(&config, "/x") == 0);
        assert(route(&config, "/a") == 1);
        assert(route(&config, "/a/") == 1);
        assert(route(&config, "/a/x") == 1);
        assert(route(&config, "/ab") == 0);
        assert(route(&config, "/a/b") == 2);
        assert(route(&config, "/a/b/c") == 2);
        assert(route(&config, "/a/bc") == 1);
}

static void test_path_without_a_mount_is_not_found(void)
{
        struct app_config apps[] = {{.mount = a}};
        struct config config = {.apps = apps, .n_apps = 1};

        assert(route(&config, "/") == -ENOENT);
        assert(route(&config, "/b") == -ENOENT);
        assert(route(&config, "*") == -ENOENT);
        config.n_apps = 0;
        assert(route(&config, "/") == -ENOENT);
}

static void test_server_as_a_whole_belongs_to_no_application(void)
{
        struct app_config apps[] = {{.mount = root}};
        struct config config = {.apps = apps, .n_apps = 1};

        assert(route(&config, "*") == -ENOENT);
}

static void test_fallback_gives_way_at_the_same_mount_only(void)
{
        struct app_config apps[] = {
                {.mount = root, .fallback = true}, {.mount = root}, {.mount = a}};
        struct config config = {.apps = apps, .n_apps = 3};

        assert(route(&config, "/") == 1);
        apps[1].fallback = true;
        apps[0].fallback = false;
        assert(route(&config, "/") == 0);
        apps[2].fallback = true;
        assert(route(&config, "/a") == 2);
}

int main(void)
{
        test_longest_mount_at_a_segment_boundary_wins();
        test_path_without_a_mount_is_not_found();
        test_server_as_a_whole_belongs_to_no_application();
        test_fallback_gives_way_at_the_same_mount_only();
        return 0;
}
