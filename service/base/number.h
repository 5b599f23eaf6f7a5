/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers, sizes and durations as people write them in a configuration file, both ways. Any thread.
 *
 * Strict: no sign, no white space, no fraction, no rest; what does not fit is an error, never a
 * wrap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for every format_*() below, with the NUL. */
#define NUMBER_TEXT_MAX 32

/** parse_number() - decimal digits. Return: 0; -EINVAL when it is no number, -ERANGE above
 * UINT64_MAX. */
int parse_number(const char *text, uint64_t *ret);

/** parse_size() - bytes, with k, m or g (1024-based, either case). Return: as parse_number(). */
int parse_size(const char *text, uint64_t *ret);

/** parse_duration() - "500ms", "10s", "2min", "1h", "250us"; plain "0" too, other numbers need a
 * unit. Microseconds. */
int parse_duration(const char *text, uint64_t *ret);

/** parse_boolean() - yes/no, true/false, on/off, 1/0, either case. Return: 0, or -EINVAL. */
int parse_boolean(const char *text, bool *ret);

/** format_size() - the shortest exact spelling that parse_size() reads back: 10m, 8190. Return:
 * @text. */
char *format_size(uint64_t bytes, char text[static NUMBER_TEXT_MAX]);

/** format_duration() - the shortest exact spelling that parse_duration() reads back: 30s, 1500ms,
 * 0. Return: @text. */
char *format_duration(uint64_t usec, char text[static NUMBER_TEXT_MAX]);
