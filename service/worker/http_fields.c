/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Method, version and fields of a head, in one piece of memory. */
#include "worker/http_fields.h"

#include <string.h>
#include <strings.h>

/* Where the texts of a head are copied to. */
struct head_copy {
        struct request *request;
        char *room;
};

static enum MHD_Result measure_header(void *data, enum MHD_ValueKind kind, const char *name,
                                      size_t name_size, const char *value, size_t value_size)
{
        size_t *size = data;

        (void)kind;
        (void)name;
        *size += name_size + 1 + (value ? value_size : 0) + 1;
        return MHD_YES;
}

/* A copy with a NUL behind it, in the room that was measured. */
static const char *copy_text(struct head_copy *copy, const char *text, size_t size)
{
        char *begin = copy->room;

        if (size > 0)
                memcpy(begin, text, size);
        begin[size] = '\0';
        copy->room += size + 1;
        return begin;
}

/* White space behind a value is no part of it (RFC 9112 5.1), but 0.9.75 leaves it there, and means
 * it: "chunked " is not chunked to it, so that has to be seen. */
static size_t without_blanks(const char *name, const char *value, size_t size)
{
        if (strcasecmp(name, "Transfer-Encoding") == 0)
                return size;
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
                size--;
        return size;
}

static enum MHD_Result copy_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
        struct head_copy *copy = data;
        struct request *request = copy->request;

        (void)kind;
        value_size = value ? without_blanks(name, value, value_size) : 0;
        request->headers[request->n_headers++] = (struct header){
                .name = copy_text(copy, name, name_size),
                .name_size = name_size,
                .value = copy_text(copy, value, value_size),
                .value_size = value_size,
        };
        return MHD_YES;
}

bool http_take_head(struct request *request, struct arena *arena, struct MHD_Connection *mhd,
                    const char *method, const char *version)
{
        size_t size = strlen(method) + 1 + strlen(version) + 1;
        struct head_copy copy = {.request = request};
        int n = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, measure_header, &size);

        request->headers = arena_alloc(arena, (n > 0 ? (size_t)n : 1) * sizeof(struct header));
        copy.room = arena_alloc(arena, size);
        if (!request->headers || !copy.room)
                return false;
        request->method = copy_text(&copy, method, strlen(method));
        request->version = copy_text(&copy, version, strlen(version));
        (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, copy_header, &copy);
        return true;
}
