/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of an application's field names beyond the cap: one field EXTRA with a JSON object.
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "app/app.h"

/**
 * field_names_take() - whether a name may be a field of its own: it was taken before, or there is
 * room
 *
 * A name that was taken stays so; one that was not is taken now, if it can be.
 */
bool field_names_take(struct field_names *names, const char *name);

/* A JSON object in the making; zero-initialised at first, freed with extra_free(). */
struct extra {
        char *text; /* complete after extra_finish(); NULL when nothing was added */
        size_t size;
        FILE *stream;
};

/**
 * extra_add() - add a member
 * @name:  needs no escaping, as names of fields never do
 * @value: any bytes: UTF-8 is kept, of anything else each byte becomes \u00NN, so that it stays
 * readable JSON
 *
 * Return: 0 or -ENOMEM.
 */
int extra_add(struct extra *extra, const char *name, const char *value, size_t size);

/** extra_finish() - complete the object; nothing can be added any more. Return: 0 or -ENOMEM. */
int extra_finish(struct extra *extra);

/** extra_free() - free what is left. */
void extra_free(struct extra *extra);
