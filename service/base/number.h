/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers, sizes and durations as people write them in a configuration file, both ways. Any thread.
 *
 * Strict: no sign, no white space, no fraction, no rest; what does not fit is never wrapped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for every format_*() below, with the NUL. */
#define NUMBER_TEXT_MAX 32

/** parse_number() - decimal digits. Return: 0; -EINVAL for no number, -ERANGE above UINT64_MAX. */
int parse_number(const char *text, uint64_t *ret);

/** parse_size() - bytes, with k, m or g (1024-based, either case). Return: as parse_number(). */
int parse_size(const char *text, uint64_t *ret);

/**
 * parse_duration() - "250us", "500ms", "10s", "2min", "1h", and "0"; other numbers need a unit
 * @ret: microseconds
 *
 * Return: as parse_number().
 */
int parse_duration(const char *text, uint64_t *ret);

/** parse_boolean() - yes/no, true/false, on/off, 1/0, either case. Return: 0, or -EINVAL. */
int parse_boolean(const char *text, bool *ret);

/** format_size() - the shortest text that parse_size() reads back: 10m, 8190. Return: @text. */
char *format_size(uint64_t bytes, char text[static NUMBER_TEXT_MAX]);

/** format_duration() - the same for parse_duration(): 0, 1500ms, 60s, 2min. Return: @text. */
char *format_duration(uint64_t usec, char text[static NUMBER_TEXT_MAX]);
