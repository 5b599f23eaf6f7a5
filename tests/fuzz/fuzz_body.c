/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies that arrive in pieces, in memory and in files: what comes out is what came in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes say how: the threshold, what is announced, and how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct body body = {0};
        size_t threshold, announced, piece, step = 0;

        if (size < 4)
                return 0;
        threshold = (size_t)data[0] * 16;
        announced = (size_t)data[1] * 16;
        piece = data[2] + 1;
        step = data[3];
        data += 4;
        size -= 4;
        for (size_t at = 0; at < size;) {
                size_t n = size - at < piece ? size - at : piece;

                if (body_add(&body, data + at, n, announced, threshold) < 0)
                        abort();
                at += n;
                piece = (piece + step) % 4096 + 1;
        }
        if (body_complete(&body) < 0 || body.size != size ||
            (size > 0 && memcmp(body.bytes, data, size) != 0) ||
            (size > threshold) != (body.file > 0))
                abort();
        body_free(&body);
        return 0;
}
