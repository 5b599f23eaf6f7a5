/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: newer than the server, with a member set that it does not know. */
#include <appsrv/appsrv.h>

struct newer_app {
        appsrv_app known;
        int (*health)(void);
};

static int health(void)
{
        return 0;
}

static int handle(appsrv_req *req, void *self)
{
        (void)self;
        return appsrv_send(req, 200, NULL, NULL, 0);
}

const appsrv_app *appsrv_app_main(uint32_t host_abi)
{
        static const struct newer_app app = {
                .known = {.size = sizeof(app), .abi = APPSRV_ABI, .handle = handle},
                .health = health,
        };

        (void)host_abi;
        return &app.known;
}
