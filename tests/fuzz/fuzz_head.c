/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scan of libmicrohttpd's buffer: stays within it whatever is there, and takes no head with a
 * byte that should not be in one. */
#include "worker/http_head.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As libmicrohttpd leaves it: lines end in two NUL, a name in one. */
static void check_accepted(const struct raw_head *head)
{
        const char *end = head->method + head->size;

        assert(head->size >= 4 && memcmp(end - 4, "\0\0\0\0", 4) == 0);
        for (const char *at = head->version; at < end - 2; at += strlen(at) + 1)
                assert(*at != '\n' && *at != '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *bytes = malloc(size + 1);
        struct raw_head head = {.method = bytes, .size = size};

        if (!raw_head_wanted()) {
                free(bytes);
                return 0;
        }
        assert(bytes);
        memcpy(bytes, data, size);
        bytes[size] = '\0'; /* the buffer goes on behind the head */
        for (char *at = bytes; at < bytes + size; at++)
                if (*at == '\n' || *at == '\r' || *at == '|')
                        *at = '\0';
        head.url = bytes + strlen(bytes) + 1;
        if (head.url < bytes + size) {
                head.target_size = strlen(head.url);
                head.version = head.url + head.target_size + 1;
                if (head.version < bytes + size && !raw_head_flaw(&head))
                        check_accepted(&head);
        }
        free(bytes);
        return 0;
}
