/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Black boxes in systemd's keeping: each under a name of its own, from its making until nothing of
 * it is needed any more. */
#pragma once

#include <stdbool.h>

#include "board/box.h"

#define STORE_NAME_MAX 32

/* A box and the name under which systemd holds it. */
struct stored_box {
        struct box *box;
        char name[STORE_NAME_MAX];
        bool kept; /* by systemd */
};

/* Gives each box its name. */
struct store {
        unsigned long long last; /* highest number that is or was in use */
};

/** store_init() - begin to count behind the names that a former master used. */
void store_init(struct store *store);

/** store_is_box() - whether a passed descriptor of this name is a box. */
bool store_is_box(const char *name);

/**
 * store_inherited() - take the next box that a former master left
 * @at: where to look, 0 at first; moved on
 *
 * What systemd passed stays open until listen_all() has been there, too. Return: 1 with @ret; 0
 * when there is no more; a negative errno when one cannot be used: systemd is told to drop it, and
 * @ret->name tells which.
 */
int store_inherited(int *at, struct stored_box *ret);

/** store_new() - make a box and give it into systemd's keeping. Return: 0, or a negative errno. */
int store_new(struct store *store, const struct box_layout *layout, struct stored_box *ret);

/** store_end() - done with it. */
void store_end(struct stored_box *stored);

/** store_leave() - give up our view of it; systemd holds it for the next master. */
void store_leave(struct stored_box *stored);
