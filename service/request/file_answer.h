/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a request for a file is answered: status, headers, and which bytes of the file. Pure; any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "request/range.h"
#include "request/response.h"

/* What is known of a file that exists and may be read. */
struct file_facts {
        uint64_t inode;
        uint64_t size;
        int64_t modified; /* seconds since 1970 */
        uint32_t modified_nsec;
        int64_t now;
        const char *type;          /* Content-Type */
        const char *coding;        /* Content-Encoding; NULL: it is the file itself */
        const char *cache_control; /* NULL: none */
        bool varies;               /* with Accept-Encoding */
};

/**
 * file_answer() - answer GET or HEAD for a file: conditions first, then a range
 * @response: gets status and headers; of an error the body too, else the body is left to the caller
 * @ret:      the bytes that the body has; when the status is 304, those it would have
 *
 * Return: 1 when the body is @ret of the file, 0 when the response is complete, -ENOMEM.
 */
int file_answer(const struct request *request, const struct file_facts *facts, struct arena *arena,
                struct response *response, struct byte_range *ret);
