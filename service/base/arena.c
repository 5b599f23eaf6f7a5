/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A chain of zeroed blocks; only the newest is filled further. One thread at a time. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A page less what malloc() keeps for itself: most requests need one block. */
#define BLOCK_SIZE (4096 - 64)

struct arena_block {
        struct arena_block *older;
        alignas(max_align_t) unsigned char data[];
};

static int add_block(struct arena *arena, size_t size)
{
        struct arena_block *block;

        if (__builtin_add_overflow(size, sizeof(*block), &(size_t){0}))
                return -1;
        block = calloc(1, sizeof(*block) + size);
        if (!block)
                return -1;
        block->older = arena->blocks;
        *arena = (struct arena){.blocks = block, .size = size};
        return 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
        const size_t mask = alignof(max_align_t) - 1;
        size_t room;
        void *taken;

        if (__builtin_add_overflow(size, mask, &room))
                return NULL;
        room &= ~mask;
        if (!arena->blocks || arena->size - arena->used < room)
                if (add_block(arena, room > BLOCK_SIZE ? room : BLOCK_SIZE) < 0)
                        return NULL;
        taken = arena->blocks->data + arena->used;
        arena->used += room;
        return taken;
}

char *arena_copy(struct arena *arena, const void *data, size_t size)
{
        char *copy;

        if (size == SIZE_MAX)
                return NULL;
        copy = arena_alloc(arena, size + 1);
        if (copy && size > 0)
                memcpy(copy, data, size);
        return copy;
}

void arena_free(struct arena *arena)
{
        while (arena->blocks) {
                struct arena_block *block = arena->blocks;

                arena->blocks = block->older;
                free(block);
        }
        *arena = (struct arena){0};
}
