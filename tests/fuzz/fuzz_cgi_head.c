/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the output of a program: the block ends where it says, and what is taken from it may
 * be sent. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/cgi_head.h"

static void check(const struct cgi_head *head)
{
        int status = cgi_head_status(head);

        assert(status >= 200 && status <= 599 && head->n_headers <= CGI_FIELDS_MAX);
        assert(head->status || head->location || head->type);
        for (size_t i = 0; i < head->n_headers; i++) {
                const struct header *header = &head->headers[i];

                assert(strlen(header->name) == header->name_size);
                assert(strlen(header->value) == header->value_size);
                assert(token_valid(header->name, header->name_size));
                assert(field_value_valid(header->value, header->value_size));
        }
        assert(!head->type || field_value_valid(head->type, strlen(head->type)));
        assert(!head->location ||
               (*head->location && field_value_valid(head->location, strlen(head->location))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct header fields[CGI_FIELDS_MAX];
        struct cgi_head head = {.headers = fields};
        size_t end = cgi_head_end((const char *)data, size);
        char *text;

        assert(end <= size);
        if (end == 0)
                return 0;
        assert(data[end - 1] == '\n');
        text = malloc(end); /* exactly: what is read beyond it is seen */
        if (!text)
                return 0;
        memcpy(text, data, end);
        if (!cgi_head_parse(text, end, &head))
                check(&head);
        free(text);
        return 0;
}
