/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a head: what is accepted keeps the rules on which framing and routing rely, judged
 * here in another way.
 */
#include "request/validate.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MOST 32

static const struct head_limits limits = {
        .request_line = 200,
        .request_fields = 20,
        .request_field_size = 100,
        .request_body = 1000,
};

static size_t count(const struct request *request, const char *name)
{
        size_t n = 0;

        for (size_t i = 0; i < request->n_headers; i++)
                n += strcasecmp(request->headers[i].name, name) == 0;
        return n;
}

static void check_accepted(const struct request *request, const struct framing *framing)
{
        size_t n_lengths = count(request, "Content-Length");
        size_t n_codings = count(request, "Transfer-Encoding");

        assert(n_lengths + n_codings <= 1);
        assert(framing->chunked == (n_codings == 1));
        assert(n_lengths == 1 || framing->content_length == 0);
        assert(framing->content_length <= limits.request_body);
        assert(count(request, "Host") <= 1);
        assert(count(request, "Host") == 1 || strcmp(request->version, "HTTP/1.0") == 0);
        assert(request->n_headers <= limits.request_fields);
        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                assert(strlen(header->name) == header->name_size && header->name_size > 0);
                assert(strlen(header->value) == header->value_size);
                assert(!strpbrk(header->name, " \t:\r\n") && !strpbrk(header->value, "\r\n"));
        }
}

/* Cut the next piece off, up to a newline. */
static const char *next_piece(char **cursor, char *end, size_t *ret_size)
{
        char *piece = *cursor, *newline = memchr(piece, '\n', (size_t)(end - piece));

        *ret_size = (size_t)((newline ? newline : end) - piece);
        *cursor = newline ? newline + 1 : end;
        piece[*ret_size] = '\0';
        return piece;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One piece a line: method, target, version, then name and value of each header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct header headers[HEADERS_MOST];
        struct arena arena = {0};
        struct request request = {.headers = headers};
        struct framing framing = {0};
        char *cursor = arena_copy(&arena, data, size), *end = cursor + size;
        size_t ignored;

        request.method = next_piece(&cursor, end, &ignored);
        request.target = next_piece(&cursor, end, &request.target_size);
        request.version = next_piece(&cursor, end, &ignored);
        while (cursor < end && request.n_headers < HEADERS_MOST) {
                struct header *header = &headers[request.n_headers++];

                header->name = next_piece(&cursor, end, &header->name_size);
                header->value = next_piece(&cursor, end, &header->value_size);
        }
        if (validate_head(&request, &limits, &framing).status == 0)
                check_accepted(&request, &framing);
        arena_free(&arena);
        return 0;
}
