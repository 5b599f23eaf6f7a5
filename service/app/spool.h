/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A spool: a ring of bytes in a file without a name, with one writer and one reader, who may be at
 * work at the same time. How much is in it is theirs to keep.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct spool {
        int file; /* + 1; 0: not made */
        uint64_t capacity;
        uint64_t written; /* bytes ever; the writer's */
        uint64_t read;    /* bytes ever; the reader's */
};

/** spool_write() - behind what was written. Return: so many bytes, up to where the ring begins
 * again; 0 when there is no room on the disk, or no disk. */
size_t spool_write(struct spool *spool, const void *bytes, size_t size);

/** spool_read() - what was written; no more may be asked for. Return: so many bytes; 0 when the
 * disk fails. */
size_t spool_read(struct spool *spool, void *bytes, size_t size);

/** spool_done() - close the file, if there is one. */
void spool_done(struct spool *spool);
