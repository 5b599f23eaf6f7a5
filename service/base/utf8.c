/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of well-formed byte sequences, RFC 3629, 4. */
#include "base/utf8.h"

#include <stdbool.h>

static bool continuation(char byte)
{
        return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t utf8_size(const char *text, size_t size)
{
        unsigned char first = (unsigned char)text[0];
        unsigned char second = size > 1 ? (unsigned char)text[1] : 0;
        size_t wanted;

        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf)
                wanted = 2;
        else if (first >= 0xe0 && first <= 0xef)
                wanted = 3;
        else if (first >= 0xf0 && first <= 0xf4)
                wanted = 4;
        else
                return 0;

        if (size < wanted || (first == 0xe0 && second < 0xa0) ||
            (first == 0xed && second > 0x9f) || /* surrogates */
            (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
                return 0;
        for (size_t i = 1; i < wanted; i++) {
                if (!continuation(text[i]))
                        return 0;
        }
        return wanted;
}
