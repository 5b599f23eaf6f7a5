/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application that reads bodies while they arrive, in the ways that the tests need. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t argument(appsrv_req *req, const char *name)
{
        const char *value = appsrv_arg(req, name, NULL);

        return value ? strtoul(value, NULL, 10) : 0;
}

static void pause_ms(size_t ms)
{
        const struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
                                       .tv_nsec = (long)(ms % 1000) * 1000000};

        if (ms > 0)
                (void)nanosleep(&pause, NULL);
}

static int answer(appsrv_req *req, int64_t end, uint64_t size, uint32_t sum)
{
        char text[96];
        int n = snprintf(text, sizeof(text), "%" PRId64 " %" PRIu64 " %" PRIu32 "\n", end, size,
                         sum);

        return appsrv_send(req, 200, "text/plain", text, (size_t)n);
}

/* ?piece= bytes at a time, ?ms= between two, ?most= in all; tells how it ended. */
static int count(appsrv_req *req)
{
        size_t piece = argument(req, "piece"), ms = argument(req, "ms");
        size_t most = argument(req, "most");
        static _Thread_local unsigned char room[65536];
        uint64_t size = 0;
        uint32_t sum = 0;
        int64_t n;

        if (piece == 0 || piece > sizeof(room))
                piece = sizeof(room);
        APPSRV_LOG(req, APPSRV_INFO, "begins");
        while ((n = appsrv_read(req, room, piece)) > 0) {
                if (size == 0)
                        APPSRV_LOG(req, APPSRV_INFO, "first bytes");
                for (int64_t i = 0; i < n; i++)
                        sum = sum * 31 + room[i];
                size += (uint64_t)n;
                pause_ms(ms);
                if (most > 0 && size >= most)
                        break;
        }
        if (n < 0)
                APPSRV_LOG(req, APPSRV_NOTICE, "reading ended with %s",
                           n == -EPIPE      ? "EPIPE"
                           : n == -EMSGSIZE ? "EMSGSIZE"
                                            : "another error");
        return n == -EPIPE ? -EPIPE : answer(req, n, size, sum);
}

/* Begins its response before it reads. */
static int hasty(appsrv_req *req)
{
        static const char text[1000];
        char room[16];
        int r = appsrv_begin(req, 200, "text/plain", -1);
        int64_t n = appsrv_read(req, room, sizeof(room));

        if (appsrv_read(req, room, 0) != -EINVAL)
                return -EINVAL;
        for (int i = 0; r == 0 && i < 1000; i++)
                r = appsrv_write(req, text, sizeof(text));
        if (r == 0)
                r = appsrv_write(req, n == -EALREADY ? "already" : "wrong", 7);
        return r;
}

static int handle(appsrv_req *req, void *self)
{
        const char *path = appsrv_path(req, NULL);
        size_t size;

        (void)self;
        if (strcmp(path, "/hasty") == 0)
                return hasty(req);
        if (strcmp(path, "/deaf") == 0) {
                pause_ms(argument(req, "ms"));
                (void)appsrv_body(req, &size);
                return answer(req, 0, size, 0);
        }
        return count(req);
}

APPSRV_APP(.name = "reader", .flags = APPSRV_F_CONCURRENT | APPSRV_F_STREAM_BODY, .handle = handle);
