/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application that tells where its start() ran, and of which forks it was told. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
        int started;   /* pid */
        int forks[3];  /* by APPSRV_FORK_* */
        int worker_id; /* as it was at the last fork into a worker */
} seen;

static int start(appsrv_ctx *ctx, void **self)
{
        (void)ctx;
        (void)self;
        seen.started = getpid();
        printf("half a line at the start"); /* is nobody's but the template's */
        return 0;
}

/* fail_at: the fork that cannot be, "1" is the first; refuse_in: PREPARE (0) or CHILD (2). */
static int on_fork(appsrv_ctx *ctx, void *self, int when)
{
        const char *fail_at = appsrv_config(ctx, "fail_at");
        const char *refuse_in = appsrv_config(ctx, "refuse_in");
        char count[16];

        (void)self;
        seen.forks[when]++;
        seen.worker_id = appsrv_worker_id(ctx);
        (void)snprintf(count, sizeof(count), "%d", seen.forks[APPSRV_FORK_PREPARE]);
        if (fail_at && refuse_in && strcmp(fail_at, count) == 0 && refuse_in[0] - '0' == when)
                return -EUNATCH;
        return 0;
}

static int handle(appsrv_req *req, void *self)
{
        char text[128];
        int size;

        (void)self;
        printf("a line of its own\n");
        (void)fflush(stdout);
        size = snprintf(text, sizeof(text), "%d %d %d %d %d %d\n", seen.started, getpid(),
                        seen.forks[APPSRV_FORK_PREPARE], seen.forks[APPSRV_FORK_PARENT],
                        seen.forks[APPSRV_FORK_CHILD], seen.worker_id);
        return appsrv_send(req, 200, "text/plain", text, (size_t)size);
}

static void stop(appsrv_ctx *ctx, void *self)
{
        (void)self;
        (void)appsrv_log(ctx, NULL, APPSRV_INFO, "stopped in %d", getpid());
}

static const char *const settings[] = {"fail_at", "refuse_in", NULL};

APPSRV_APP(.name = "forked", .settings = settings, .start = start, .handle = handle, .stop = stop,
           .fork = on_fork);
