/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page that lists a folder. Application threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Names beyond these are not listed, and the page says so. */
#define LISTING_MAX 10000

/**
 * listing_write() - write the page
 * @ret:      HTML, which the caller frees; untouched on failure
 * @ret_size: its bytes
 * @fd:       the folder, open for reading; stays the caller's
 * @path:     the folder as its visitors see it, with the slash at the end
 * @top:      there is nothing above it to go to
 *
 * Files and folders that do not begin with a dot, by name; links are shown without looking where
 * they lead. Return: 0 or a negative errno.
 */
int listing_write(char **ret, size_t *ret_size, int fd, const char *path, bool top);
