/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/nearest.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {"workers", "threads", "watchdog", "level"};

static const char *meant(const char *word)
{
        return nearest_name(word, names, sizeof(names) / sizeof(names[0]));
}

static void test_nearest_finds_one_slip_of_each_kind(void)
{
        assert(meant("worker") == names[0]);
        assert(meant("workerss") == names[0]);
        assert(meant("workexs") == names[0]);
        assert(meant("wokrers") == names[0]);
        assert(meant("workers") == names[0]);
}

static void test_nearest_ignores_case(void)
{
        assert(meant("THREADS") == names[1]);
}

static void test_nearest_allows_a_third_of_the_word_and_no_more(void)
{
        assert(meant("wtchdg") == names[2]);
        assert(meant("wtchg") == NULL);
        assert(meant("") == NULL);
        assert(meant("x") == NULL);
        assert(nearest_name("ab", (const char *const[]){"b"}, 1) != NULL);
        assert(nearest_name("ab", (const char *const[]){"ba"}, 1) != NULL);
        assert(nearest_name("ab", (const char *const[]){"cd"}, 1) == NULL);
}

static void test_nearest_prefers_the_nearer_then_the_first(void)
{
        static const char *const near[] = {"keepalivee", "keepaliv", "keepaliva"};

        assert(nearest_name("keepalive", near, 3) == near[0]);
        assert(nearest_name("keepaliva", near, 3) == near[2]);
}

static void test_nearest_without_candidates_or_with_words_too_long_is_null(void)
{
        char word[200];

        memset(word, 'x', sizeof(word));
        word[sizeof(word) - 1] = '\0';
        assert(nearest_name("level", NULL, 0) == NULL);
        assert(meant(word) == NULL);
        assert(nearest_name("level", (const char *const[]){word}, 1) == NULL);
        word[63] = '\0';
        assert(nearest_name(word, (const char *const[]){word}, 1) == word);
        word[63] = 'x';
        word[64] = '\0';
        assert(nearest_name(word, (const char *const[]){word}, 1) == NULL);
}

int main(void)
{
        test_nearest_finds_one_slip_of_each_kind();
        test_nearest_ignores_case();
        test_nearest_allows_a_third_of_the_word_and_no_more();
        test_nearest_prefers_the_nearer_then_the_first();
        test_nearest_without_candidates_or_with_words_too_long_is_null();
        return 0;
}
