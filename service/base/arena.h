/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arenas: memory that is taken piece by piece and given back at once, when the request that it
 * serves is over.
 *
 * Not thread-safe: an arena belongs to whoever works on its request, first the loop thread, then
 * one application thread, then the loop thread again.
 */
#pragma once

#include <stddef.h>

struct arena {
        struct arena_block *blocks;
        size_t used; /* bytes of the newest block */
        size_t size; /* its capacity */
};

/**
 * arena_alloc() - take zeroed memory, aligned for any type
 * @arena: zero-initialised at first
 * @size:  bytes; 0 gives a valid pointer as well
 *
 * Return: memory that arena_free() gives back, NULL when there is none.
 */
void *arena_alloc(struct arena *arena, size_t size);

/** arena_copy() - copy @size bytes and end them with a NUL; NULL when there is no memory. */
char *arena_copy(struct arena *arena, const void *data, size_t size);

/** arena_free() - give everything back; the arena is empty and usable again afterwards. */
void arena_free(struct arena *arena);
