/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Comments of a configuration file; inline, so that the build's generator needs no object. */
#pragma once

#include <stdio.h>
#include <string.h>

/** write_comment() - write a text as "; " lines of at most @columns, broken at blanks */
static inline void write_comment(FILE *stream, const char *text, size_t columns)
{
        size_t column = 0;

        while (*text) {
                size_t word = strcspn(text, " ");

                if (column > 0 && column + 1 + word > columns) {
                        (void)fputc('\n', stream);
                        column = 0;
                }
                column +=
                        (size_t)fprintf(stream, "%s%.*s", column > 0 ? " " : "; ", (int)word, text);
                text += word;
                text += strspn(text, " ");
        }
        (void)fputc('\n', stream);
}
