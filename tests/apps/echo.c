/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An application that answers whatever it is asked by telling what it saw: a line "NUMBER METHOD
 * TARGET SIZE", then the body, which has SIZE bytes. NUMBER counts the requests of this process
 * from 1, so that a client knows how many there were between two of its own.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_uint requests;

static int handle(appsrv_req *req, void *self)
{
        unsigned number = atomic_fetch_add(&requests, 1) + 1;
        const char *method = appsrv_method(req);
        size_t target_size;
        const char *target = appsrv_target(req, &target_size);
        size_t body_size;
        const void *body = appsrv_body(req, &body_size);
        size_t room = strlen(method) + target_size + body_size + 64;
        char *text = appsrv_alloc(req, room);
        int size;

        (void)self;
        if (!text)
                return -ENOMEM;
        size = snprintf(text, room, "%u %s %s %zu\n", number, method, target, body_size);
        memcpy(text + size, body, body_size);
        return appsrv_send(req, 200, "text/plain", text, (size_t)size + body_size);
}

APPSRV_APP(.name = "echo", .version = "1", .flags = APPSRV_F_CONCURRENT, .handle = handle);
