/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file is made with the first byte that is written. */
#include "app/spool.h"

#include <sys/types.h>
#include <unistd.h>

#include "base/temporary.h"

/* As far as the ring goes on without a break. */
static size_t until_end(const struct spool *spool, uint64_t at, size_t size)
{
        uint64_t left = spool->capacity - at % spool->capacity;

        return size < left ? size : (size_t)left;
}

size_t spool_write(struct spool *spool, const void *bytes, size_t size)
{
        ssize_t n;

        if (spool->file == 0)
                spool->file = temporary_file() + 1;
        if (spool->file <= 0) {
                spool->file = 0;
                return 0;
        }
        n = pwrite(spool->file - 1, bytes, until_end(spool, spool->written, size),
                   (off_t)(spool->written % spool->capacity));
        if (n <= 0)
                return 0;
        spool->written += (uint64_t)n;
        return (size_t)n;
}

size_t spool_read(struct spool *spool, void *bytes, size_t size)
{
        ssize_t n = pread(spool->file - 1, bytes, until_end(spool, spool->read, size),
                          (off_t)(spool->read % spool->capacity));

        if (n <= 0)
                return 0;
        spool->read += (uint64_t)n;
        return (size_t)n;
}

void spool_done(struct spool *spool)
{
        if (spool->file > 0)
                (void)close(spool->file - 1);
        spool->file = 0;
}
