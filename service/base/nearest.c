/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edit distance over three rows; a swap of two neighbours is one edit, as one slip. Any thread. */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

/* Longer words are not compared: a name of a setting is far below, and the rows fit the stack. */
#define WORD_MAX 63

static size_t smallest(size_t a, size_t b, size_t c)
{
        size_t smaller = a < b ? a : b;

        return smaller < c ? smaller : c;
}

static int lower(const char *text, size_t i)
{
        return tolower((unsigned char)text[i]);
}

/* Rows of the table: of two letters of @a ago, of one ago, and the one that is filled. */
static size_t distance(const char *a, const char *b)
{
        size_t rows[3][WORD_MAX + 1];
        size_t *before = rows[0], *last = rows[1], *row = rows[2];
        size_t n_a = strlen(a), n_b = strlen(b);

        for (size_t j = 0; j <= n_b; j++) {
                before[j] = 0;
                last[j] = j;
        }
        for (size_t i = 1; i <= n_a; i++) {
                size_t *oldest = before;

                row[0] = i;
                for (size_t j = 1; j <= n_b; j++) {
                        size_t change = lower(a, i - 1) != lower(b, j - 1);

                        row[j] = smallest(last[j] + 1, row[j - 1] + 1, last[j - 1] + change);
                        if (i > 1 && j > 1 && lower(a, i - 1) == lower(b, j - 2) &&
                            lower(a, i - 2) == lower(b, j - 1))
                                row[j] = smallest(row[j], row[j], before[j - 2] + 1);
                }
                before = last;
                last = row;
                row = oldest;
        }
        return last[n_b];
}

const char *nearest_name(const char *word, const char *const *candidates, size_t n)
{
        size_t length = strlen(word);
        size_t best = length < 3 ? 1 : length / 3;
        const char *nearest = NULL;

        if (length > WORD_MAX)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                size_t d;

                if (strlen(candidates[i]) > WORD_MAX)
                        continue;
                d = distance(word, candidates[i]);
                if (d < best || (d == best && !nearest)) {
                        best = d;
                        nearest = candidates[i];
                }
        }
        return nearest;
}
