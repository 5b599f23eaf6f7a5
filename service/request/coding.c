/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content codings that a client takes: Accept-Encoding read element by element. Any thread. */
#include "request/coding.h"

#include <stdbool.h>
#include <string.h>

#define QUALITY_MAX 1000
#define BLANKS      " \t"

static bool same_coding(const char *text, size_t size, const char *coding)
{
        /* RFC 9110 8.4.1.3: x-gzip is to be taken for gzip. */
        if (equal_ignoring_case(text, size, "x-gzip"))
                return strcmp(coding, "gzip") == 0;
        return equal_ignoring_case(text, size, coding);
}

/* RFC 9110 12.4.2: up to three decimals, none above 1. A malformed weight is 0. */
static unsigned parse_weight(const char *text, size_t size)
{
        unsigned value = 0, digit = QUALITY_MAX;

        if (size == 0 || size > 5 || (text[0] != '0' && text[0] != '1') ||
            (size > 1 && text[1] != '.'))
                return 0;
        for (size_t i = 0; i < size; i++) {
                if (i == 1)
                        continue;
                if (text[i] < '0' || text[i] > '9')
                        return 0;
                value += (unsigned)(text[i] - '0') * digit;
                digit /= 10;
        }
        return value <= QUALITY_MAX ? value : 0;
}

/* The weight behind the name of a coding: nothing, or ";q=0.5" with blanks around the ';'. */
static unsigned weight_of(const char *text, size_t size)
{
        size_t start = strspn(text, BLANKS);

        if (start >= size)
                return QUALITY_MAX;
        if (text[start] != ';')
                return 0;
        start++;
        start += strspn(text + start, BLANKS);
        if (start + 2 > size || (text[start] != 'q' && text[start] != 'Q') ||
            text[start + 1] != '=')
                return 0;
        start += 2;
        while (size > start && strchr(BLANKS, text[size - 1]))
                size--;
        return parse_weight(text + start, size - start);
}

/* Look through one line; Return: whether it names the coding itself. @star: what it gives "*". */
static bool find_in_line(const char *text, const char *coding, unsigned *ret, unsigned *star)
{
        while (*text) {
                size_t size, name_size;

                text += strspn(text, "," BLANKS);
                size = strcspn(text, ",");
                name_size = strcspn(text, ",;" BLANKS);
                if (name_size > 0 && same_coding(text, name_size, coding)) {
                        *ret = weight_of(text + name_size, size - name_size);
                        return true;
                }
                if (name_size == 1 && *text == '*')
                        *star = weight_of(text + name_size, size - name_size);
                text += size;
        }
        return false;
}

unsigned coding_quality(const struct request *request, const char *coding)
{
        unsigned quality = 0, star = 0;

        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (header_is(header, "Accept-Encoding") &&
                    find_in_line(header->value, coding, &quality, &star))
                        return quality;
        }
        return star;
}
