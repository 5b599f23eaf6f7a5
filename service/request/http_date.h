/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HTTP dates (RFC 9110 5.6.7) as seconds since 1970: read in all three formats, written in the one
 * that is not obsolete. Pure; any thread.
 */
#pragma once

#include <stdint.h>

#define HTTP_DATE_MAX 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

/* The years that four digits have room for, from 1970. */
#define HTTP_DATE_LAST INT64_C(253402300799)

/**
 * http_date_parse() - read a date
 * @text: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or
 *        "Sun Nov  6 08:49:37 1994", to the letter; whether the day of the week is right is not
 *        looked at; blanks may follow
 * @now:  says which century two digits of a year mean
 * @ret:  seconds since 1970, may be negative
 *
 * Return: 0, or -EINVAL.
 */
int http_date_parse(const char *text, int64_t now, int64_t *ret);

/** http_date_format() - write a date from 0 to HTTP_DATE_LAST. Return: @text. */
char *http_date_format(int64_t seconds, char text[static HTTP_DATE_MAX]);
