/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: it calls a function that no server has. */
#include <appsrv/appsrv.h>

int appsrv_function_of_the_future(appsrv_req *req);

static int handle(appsrv_req *req, void *self)
{
        (void)self;
        return appsrv_function_of_the_future(req);
}

APPSRV_APP(.name = "refused-symbol", .handle = handle);
