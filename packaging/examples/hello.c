/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shortest application worth having: greets who is named in ?name=, and says so in the journal.
 *
 * Build:  cc -shared -fPIC $(pkg-config --cflags appsrv) -o hello.so hello.c
 * Try:    appsrv serve ./hello.so, then curl 'http://127.0.0.1:8080/?name=Ada'
 * Read:   journalctl -t appsrv GREETED=Ada
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <stdio.h>

/* The body is text/plain, so that a name cannot be markup. */
static int greet(appsrv_req *req, const char *name, size_t name_len)
{
        size_t room = name_len + sizeof("Hello, !\n");
        char *text = appsrv_alloc(req, room); /* freed with the request */
        int n;

        if (!text)
                return -ENOMEM; /* the client gets a 500, the journal the reason */
        n = snprintf(text, room, "Hello, %s!\n", name);
        return appsrv_send(req, 200, "text/plain; charset=utf-8", text, (size_t)n);
}

static int hello(appsrv_req *req, void *self)
{
        size_t name_len = 5;
        const char *name = appsrv_arg(req, "name", &name_len);
        const appsrv_field fields[] = {
                {"MESSAGE", "somebody was greeted", APPSRV_STRING},
                {"GREETED", name ? name : "world", name ? name_len : APPSRV_STRING},
        };

        (void)self;
        (void)appsrv_logv(appsrv_ctx_of(req), req, APPSRV_INFO, fields, 2);
        return greet(req, name ? name : "world", name_len);
}

APPSRV_APP(.name = "hello", .version = "1", .flags = APPSRV_F_CONCURRENT, .handle = hello);
