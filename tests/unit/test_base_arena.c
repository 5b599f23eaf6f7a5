/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

static void test_alloc_gives_zeroed_aligned_memory_of_its_own(void)
{
        struct arena arena = {0};

        for (size_t size = 0; size < 300; size++) {
                unsigned char *memory = arena_alloc(&arena, size);

                assert(memory);
                assert((uintptr_t)memory % alignof(max_align_t) == 0);
                for (size_t i = 0; i < size; i++)
                        assert(memory[i] == 0);
                memset(memory, 0xff, size);
        }
        arena_free(&arena);
}

static void test_alloc_above_the_size_of_a_block_works(void)
{
        struct arena arena = {0};
        char *small = arena_copy(&arena, "small", 5);
        char *large = arena_alloc(&arena, 1 << 20);

        assert(small && large);
        memset(large, 1, 1 << 20);
        assert(strcmp(small, "small") == 0);
        arena_free(&arena);
}

static void test_alloc_of_impossible_sizes_fails_and_the_arena_stays_usable(void)
{
        struct arena arena = {0};

        assert(!arena_alloc(&arena, SIZE_MAX));
        assert(!arena_alloc(&arena, SIZE_MAX - 15));
        assert(!arena_copy(&arena, "", SIZE_MAX));
        assert(arena_alloc(&arena, 1));
        arena_free(&arena);
}

static void test_copy_ends_with_nul_and_keeps_inner_ones(void)
{
        struct arena arena = {0};
        char *copy = arena_copy(&arena, "a\0b", 3);

        assert(copy && memcmp(copy, "a\0b", 4) == 0);
        copy = arena_copy(&arena, NULL, 0);
        assert(copy && *copy == '\0');
        arena_free(&arena);
}

static void test_free_leaves_an_empty_usable_arena(void)
{
        struct arena arena = {0};

        arena_free(&arena);
        assert(arena_alloc(&arena, 10000));
        arena_free(&arena);
        assert(!arena.blocks && arena.used == 0 && arena.size == 0);
        assert(arena_alloc(&arena, 1));
        arena_free(&arena);
}

int main(void)
{
        test_alloc_gives_zeroed_aligned_memory_of_its_own();
        test_alloc_above_the_size_of_a_block_works();
        test_alloc_of_impossible_sizes_fails_and_the_arena_stays_usable();
        test_copy_ends_with_nul_and_keeps_inner_ones();
        test_free_leaves_an_empty_usable_arena();
        return 0;
}
