/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a target: what is accepted has a path within the root and a query of its bytes. */
#include "request/target.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What routing and every file system would trip over. */
static void check_path(const struct request *request)
{
        const char *path = request->path;

        assert(strlen(path) == request->path_size);
        if (strcmp(path, "*") == 0)
                return;
        assert(path[0] == '/');
        for (const char *segment = path; segment; segment = strchr(segment + 1, '/')) {
                size_t size = strcspn(segment + 1, "/");

                assert(size != 1 || segment[1] != '.');
                assert(size != 2 || segment[1] != '.' || segment[2] != '.');
        }
}

static void check_query(const struct request *request)
{
        assert(strlen(request->query) == request->query_size);
        assert(request->query_size == 0 ||
               (request->query > request->target &&
                request->query + request->query_size == request->target + request->target_size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which method, the rest is the target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const methods[] = {"GET", "OPTIONS", "CONNECT"};
        struct arena arena = {0};
        struct request request = {0};
        size_t value_size;

        if (size == 0)
                return 0;
        request.method = methods[data[0] % 3];
        request.target = arena_copy(&arena, data + 1, size - 1);
        request.target_size = size - 1;
        if (target_parse(&request, &arena).status == 0) {
                check_path(&request);
                check_query(&request);
                assert(request.host);
                (void)query_argument(&request, &arena, "a", &value_size);
        }
        arena_free(&arena);
        return 0;
}
