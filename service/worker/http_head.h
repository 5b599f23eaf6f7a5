/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libmicrohttpd below 1.0 hides of a request's head: bare LF, NUL, folded lines. From 1.0 on
 * it refuses them itself, and this file and http_head.c can be deleted with the support of the old
 * version.
 *
 * The old version ends a line at a bare LF, cuts a value at NUL, takes a line that begins with NUL
 * for the end of the head, and glues the text of a folded line to the field's name: each makes it
 * see another request than other parties do. Its interface shows none of this; the bytes of its
 * buffer do. Loop thread.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Pointers as libmicrohttpd gives them to the access handler in the first call for a request. */
struct raw_head {
        const char *method;
        const char *url;
        const char *version;
        size_t target_size; /* of the target as it came, with its query */
        size_t size;        /* MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE */
};

#if MHD_VERSION < 0x01000000

/** raw_head_wanted() - whether the library that runs is one whose buffer has to be looked at. */
bool raw_head_wanted(void);

/**
 * raw_head_test() - whether the buffer of the library that runs is laid out as expected
 *
 * Sends itself a handful of requests. Return: 0; -EPROTO when one was judged wrong; another
 * negative errno when it could not be tried.
 */
int raw_head_test(void);

/** raw_head_flaw() - what is wrong with a head beyond what its fields show: static text, or NULL.
 */
const char *raw_head_flaw(const struct raw_head *head);

#else

static inline bool raw_head_wanted(void)
{
        return false;
}

static inline int raw_head_test(void)
{
        return 0;
}

static inline const char *raw_head_flaw(const struct raw_head *head)
{
        (void)head;
        return NULL;
}

#endif
