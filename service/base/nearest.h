/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The known name that a mistyped one most likely meant: "did you mean 'threads'?". Any thread. */
#pragma once

#include <stddef.h>

/**
 * nearest_name() - the candidate with the smallest edit distance to a word, in either case
 * @word:       what was typed
 * @candidates: @n known names, none NULL
 *
 * Return: one of @candidates, or NULL when none is near enough (a third of the word's length, at
 * least 1) to be meant.
 */
const char *nearest_name(const char *word, const char *const *candidates, size_t n);
