/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/problems.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void test_add_puts_the_origin_in_front(void)
{
        const struct origin line = {.file = "/etc/a.ini", .line = 7};
        const struct origin file = {.file = "/etc/a.ini"};
        const struct origin nowhere = {0};
        struct problems problems = {0};

        assert(problems_add(&problems, &line, "%s is %d", "this", 1) == -EINVAL);
        assert(problems_add(&problems, &file, "that") == -EINVAL);
        assert(problems_add(&problems, &nowhere, "that") == -EINVAL);
        assert(problems_add(&problems, NULL, "all") == -EINVAL);
        assert(problems.n == 4 && problems.n_lost == 0);
        assert(strcmp(problems.texts[0], "/etc/a.ini:7: this is 1") == 0);
        assert(strcmp(problems.texts[1], "/etc/a.ini: that") == 0);
        assert(strcmp(problems.texts[2], "that") == 0);
        assert(strcmp(problems.texts[3], "all") == 0);
        problems_free(&problems);
}

static void test_add_keeps_each_problem_on_one_line(void)
{
        const struct origin origin = {.file = "a\nb", .line = 1};
        struct problems problems = {0};

        (void)problems_add(&problems, &origin, "%s", "x\x1b[2J\ty\x7fz\xc3\xa4");
        assert(strcmp(problems.texts[0], "a?b:1: x?[2J?y?z\xc3\xa4") == 0);
        problems_free(&problems);
}

static void test_add_counts_what_is_beyond_a_hundred(void)
{
        struct problems problems = {0};

        for (int i = 0; i < 200; i++)
                assert(problems_add(&problems, NULL, "%d", i) == -EINVAL);
        assert(problems.n == 100 && problems.n_lost == 100);
        assert(strcmp(problems.texts[99], "99") == 0);
        problems_free(&problems);
        assert(!problems.texts && problems.n == 0 && problems.n_lost == 0);
        problems_free(&problems);
}

int main(void)
{
        test_add_puts_the_origin_in_front();
        test_add_keeps_each_problem_on_one_line();
        test_add_counts_what_is_beyond_a_hundred();
        return 0;
}
