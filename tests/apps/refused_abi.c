/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: built for an ABI that does not exist. */
#include <appsrv/appsrv.h>

static int handle(appsrv_req *req, void *self)
{
        (void)self;
        return appsrv_send(req, 200, NULL, NULL, 0);
}

const appsrv_app *appsrv_app_main(uint32_t host_abi)
{
        static const appsrv_app app = {
                .size = sizeof(app), .abi = APPSRV_ABI + 41, .handle = handle};

        (void)host_abi;
        return &app;
}
