/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one range of bytes that a client asks for (RFC 9110 14). Pure; any thread. */
#pragma once

#include <stdint.h>

struct byte_range {
        uint64_t first;
        uint64_t size;
};

/**
 * range_parse() - read the value of Range
 * @value: "bytes=0-99", "bytes=100-", "bytes=-100"; blanks may follow
 * @size:  bytes there are
 * @ret:   within @size and not empty; untouched on failure
 *
 * Return: 0; -EINVAL when it is to be ignored: malformed, another unit, several ranges, or the end
 * of what is empty; -ERANGE when it is well but nothing of it is there.
 */
int range_parse(const char *value, uint64_t size, struct byte_range *ret);
