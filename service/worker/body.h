/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The body of a request while it arrives: in memory up to a threshold, beyond it in a file without
 * a name, so that what clients upload at the same time is not bounded by memory. Loop thread.
 */
#pragma once

#include <stddef.h>

/* All zero: nothing has arrived. */
struct body {
        char *bytes; /* in memory, or, when it is complete, the file mapped */
        size_t size;
        size_t capacity; /* of bytes; 0 when they are a mapping */
        int file;        /* descriptor + 1; 0: none */
};

/**
 * body_add() - one more piece
 * @announced: bytes that are expected in all; 0: not known
 * @threshold: more than so many go into a file
 *
 * Return: 0, -ENOMEM, or what the file system says (-ENOSPC); after a failure nothing more can be
 * added.
 */
int body_add(struct body *body, const void *bytes, size_t size, size_t announced, size_t threshold);

/** body_complete() - nothing more comes: all of it is at body->bytes, which is NULL when there is
 * none. Return: 0 or a negative errno. */
int body_complete(struct body *body);

/** body_free() - forget it. */
void body_free(struct body *body);
