/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies: whole, in memory or in a file, and no more memory than has arrived. */
#include "worker/body.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { THRESHOLD = 10000, MANY = 100000 };

static char content[MANY];

/* In pieces of @piece bytes. */
static struct body gather(size_t size, size_t piece, size_t announced)
{
        struct body body = {0};

        for (size_t i = 0; i < size; i += piece) {
                size_t n = size - i < piece ? size - i : piece;

                assert(body_add(&body, content + i, n, announced, THRESHOLD) == 0);
                assert(body.size == i + n && body.capacity <= 4 * THRESHOLD);
        }
        return body;
}

static void check(size_t size, size_t piece, size_t announced)
{
        struct body body = gather(size, piece, announced);

        assert((body.file > 0) == (size > THRESHOLD));
        assert(body_complete(&body) == 0);
        assert(body.size == size && (size == 0 || memcmp(body.bytes, content, size) == 0));
        body_free(&body);
        assert(!body.bytes && body.file == 0);
}

static void test_a_body_comes_back_whole(void)
{
        static const size_t sizes[] = {0, 1, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, MANY};
        static const size_t pieces[] = {1, 999, MANY};

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
                        check(sizes[i], pieces[k], 0);
                        check(sizes[i], pieces[k], sizes[i]);
                        check(sizes[i], pieces[k], MANY * 10);
                }
        }
}

static void test_a_file_has_no_name_and_is_nobody_elses(void)
{
        struct body body = gather(MANY, MANY, 0);
        struct stat status;

        assert(fstat(body.file - 1, &status) == 0);
        assert(status.st_nlink == 0 && (status.st_mode & 0777) == 0600 && status.st_size == MANY);
        assert(fcntl(body.file - 1, F_GETFD) & FD_CLOEXEC);
        body_free(&body);
}

static void test_what_is_announced_costs_nothing(void)
{
        struct body body = {0};

        assert(body_add(&body, "x", 1, (size_t)1 << 40, (size_t)1 << 30) == 0);
        assert(body.capacity <= 16384);
        body_free(&body);
        assert(body_add(&body, "x", 1, 900, THRESHOLD) == 0 && body.capacity == 900);
        body_free(&body);
}

static void test_no_room_is_said(void)
{
        struct rlimit before;
        struct body body = gather(THRESHOLD, THRESHOLD, 0);

        assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
        assert(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}) == 0);
        assert(body_add(&body, "x", 1, 0, THRESHOLD) < 0);
        assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
        assert(body.size == THRESHOLD);
        body_free(&body);
}

int main(void)
{
        for (size_t i = 0; i < MANY; i++)
                content[i] = (char)(i * 31 + i / 255);
        test_a_body_comes_back_whole();
        test_a_file_has_no_name_and_is_nobody_elses();
        test_what_is_announced_costs_nothing();
        test_no_room_is_said();
        return 0;
}
