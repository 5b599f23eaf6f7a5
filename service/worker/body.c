/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that grows, then a file that is mapped at the end: whoever reads the body sees one piece
 * of memory in both cases. Loop thread. */
#include "worker/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/temporary.h"

/* First room for a body whose size is not known beforehand, or is announced larger: a client that
 * announces 10 MiB and sends nothing costs this much. */
#define FIRST_ROOM 16384

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* -- in memory -- */

/* Room for @size bytes in all, within what was announced. */
static int make_room(struct body *body, size_t size, size_t announced)
{
        size_t capacity = body->capacity ? body->capacity : FIRST_ROOM;
        char *bytes;

        if (size <= body->capacity)
                return 0;
        while (capacity < size)
                capacity *= 2;
        if (announced >= size)
                capacity = least(capacity, announced);
        bytes = realloc(body->bytes, capacity);
        if (!bytes)
                return -ENOMEM;
        body->bytes = bytes;
        body->capacity = capacity;
        return 0;
}

static int put(struct body *body, const void *bytes, size_t size, size_t announced)
{
        int r = make_room(body, body->size + size, announced);

        if (r == 0 && body->bytes)
                memcpy(body->bytes + body->size, bytes, size);
        return r;
}

/* -- in a file -- */

static int write_all(int fd, const char *bytes, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, bytes, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        bytes += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

/* What is in memory moves into a file. */
static int spool(struct body *body)
{
        _cleanup_close_ int fd = temporary_file();
        int r;

        if (fd < 0)
                return fd;
        r = write_all(fd, body->bytes, body->size);
        if (r < 0)
                return r;
        free(body->bytes);
        body->bytes = NULL;
        body->capacity = 0;
        body->file = TAKE_FD(fd) + 1;
        return 0;
}

int body_add(struct body *body, const void *bytes, size_t size, size_t announced, size_t threshold)
{
        int r = 0;

        if (size == 0)
                return 0;
        if (body->file == 0 && body->size + size > threshold)
                r = spool(body);
        if (r < 0)
                return r;
        if (body->file > 0)
                r = write_all(body->file - 1, bytes, size);
        else
                r = put(body, bytes, size, least(announced, threshold));
        if (r == 0)
                body->size += size;
        return r;
}

/* -- the end -- */

static int map(struct body *body)
{
        void *bytes = mmap(NULL, body->size, PROT_READ, MAP_PRIVATE, body->file - 1, 0);

        if (bytes == MAP_FAILED)
                return -errno;
        body->bytes = bytes;
        return 0;
}

int body_complete(struct body *body)
{
        return body->file > 0 ? map(body) : 0;
}

void body_free(struct body *body)
{
        if (body->file > 0 && body->bytes)
                (void)munmap(body->bytes, body->size);
        else if (body->capacity > 0)
                free(body->bytes);
        if (body->file > 0)
                (void)close(body->file - 1);
        *body = (struct body){0};
}
