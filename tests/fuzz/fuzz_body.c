/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies that arrive in pieces, in memory and in files: what comes out is what came in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/body.h"

#define HOW_SIZE 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes say how: the threshold, what is announced, how large the pieces are, and how
 * often the rest comes again, so that a short input fills more than the first room. */
struct how {
        size_t threshold, announced, piece, step, times;
};

static struct how read_how(const uint8_t *data)
{
        return (struct how){
                .threshold = (size_t)data[0] * 256,
                .announced = (size_t)data[1] * 256,
                .piece = (size_t)data[2] + 1,
                .step = data[3],
                .times = (size_t)data[4] % 16 + 1,
        };
}

/* The input, so often. */
static uint8_t *repeated(const uint8_t *data, size_t size, size_t times)
{
        uint8_t *all = malloc(size * times + 1);

        if (!all)
                abort();
        for (size_t i = 0; size > 0 && i < times; i++)
                memcpy(all + i * size, data, size);
        return all;
}

static void check(const uint8_t *sent, size_t size, struct how how)
{
        struct body body = {0};

        for (size_t at = 0; at < size;) {
                size_t n = size - at < how.piece ? size - at : how.piece;

                if (body_add(&body, sent + at, n, how.announced, how.threshold) < 0)
                        abort();
                at += n;
                how.piece = (how.piece + how.step) % 4096 + 1;
        }
        if (body_complete(&body) < 0 || body.size != size ||
            (size > 0 && memcmp(body.bytes, sent, size) != 0) ||
            (size > how.threshold) != (body.file > 0))
                abort();
        body_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct how how;
        uint8_t *sent;

        if (size < HOW_SIZE)
                return 0;
        how = read_how(data);
        sent = repeated(data + HOW_SIZE, size - HOW_SIZE, how.times);
        check(sent, (size - HOW_SIZE) * how.times, how);
        free(sent);
        return 0;
}
