/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application that says of itself that it hangs as a whole, when its configuration wants it to.
 * It answers how often it was asked, after so many milliseconds as the query says. */
#include <appsrv/appsrv.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int asked;

static int handle(appsrv_req *req, void *self)
{
        const char *ms = appsrv_arg(req, "ms", NULL);
        const char *extend = appsrv_arg(req, "extend", NULL);
        char text[16];
        int size;

        (void)self;
        if (extend)
                (void)appsrv_extend(req, atoll(extend) * 1000);
        if (ms)
                (void)usleep((useconds_t)(atoi(ms) * 1000));
        size = snprintf(text, sizeof(text), "%d", atomic_load(&asked));
        return appsrv_send(req, 200, "text/plain", text, (size_t)size);
}

static int stalls(appsrv_ctx *ctx, void *self)
{
        (void)self;
        atomic_fetch_add(&asked, 1);
        return appsrv_config(ctx, "hangs") != NULL;
}

static const char *const settings[] = {"hangs", NULL};

APPSRV_APP(.name = "halts", .flags = APPSRV_F_CONCURRENT, .settings = settings, .handle = handle,
           .stalls = stalls);
