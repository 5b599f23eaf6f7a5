/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of bytes, to the letter of RFC 9110 14.1.1 and 14.1.2. Any thread. */
#include "request/range.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "request/request.h"

#define UNIT "bytes="

/*
 * Any number of digits; what does not fit is UINT64_MAX, which is behind the end of every file as
 * well.
 */
static bool take_position(const char **text, uint64_t *ret)
{
        const char *start = *text;
        uint64_t value = 0;

        for (; **text >= '0' && **text <= '9'; (*text)++) {
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
                        value = UINT64_MAX;
        }
        *ret = value;
        return *text > start;
}

static int suffix_range(const char *text, uint64_t size, struct byte_range *ret)
{
        uint64_t length;

        if (!take_position(&text, &length) || !value_ends(text))
                return -EINVAL;
        if (length == 0)
                return -ERANGE;
        if (size == 0) /* satisfiable by RFC 9110 14.1.2, but no Content-Range can say so */
                return -EINVAL;
        if (length > size)
                length = size;
        *ret = (struct byte_range){.first = size - length, .size = length};
        return 0;
}

static int int_range(const char *text, uint64_t size, struct byte_range *ret)
{
        uint64_t first, last = UINT64_MAX;

        if (!take_position(&text, &first) || *text++ != '-')
                return -EINVAL;
        if (!value_ends(text) && (!take_position(&text, &last) || !value_ends(text)))
                return -EINVAL;
        if (last < first)
                return -EINVAL;
        if (first >= size)
                return -ERANGE;
        if (last >= size)
                last = size - 1;
        *ret = (struct byte_range){.first = first, .size = last - first + 1};
        return 0;
}

/* RFC 9110 14.2 lets a server ignore Range, so several ranges get the whole. */
int range_parse(const char *value, uint64_t size, struct byte_range *ret)
{
        size_t unit_size = sizeof(UNIT) - 1;

        /* RFC 9110 14.1: without case. */
        if (strlen(value) < unit_size || !equal_ignoring_case(value, unit_size, UNIT))
                return -EINVAL;
        value += unit_size;
        return *value == '-' ? suffix_range(value + 1, size, ret) : int_range(value, size, ret);
}
