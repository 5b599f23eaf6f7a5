/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An application that is not concurrent, and answers 500 when handle() is entered while another
 * call is in it.
 */
#include <appsrv/appsrv.h>

#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* Long enough for another thread to come in, if it could. */
static const struct timespec inside = {.tv_nsec = 20 * 1000 * 1000};

static atomic_int callers;

static int handle(appsrv_req *req, void *self)
{
        int before = atomic_fetch_add(&callers, 1);
        const char *text = before == 0 ? "alone\n" : "overlap\n";

        (void)self;
        (void)nanosleep(&inside, NULL);
        atomic_fetch_sub(&callers, 1);
        return appsrv_send(req, before == 0 ? 200 : 500, "text/plain", text, strlen(text));
}

APPSRV_APP(.name = "serial", .version = "1", .handle = handle);
