/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: it refuses the server itself, as one built for a later ABI does. */
#include <appsrv/appsrv.h>

const appsrv_app *appsrv_app_main(uint32_t host_abi)
{
        (void)host_abi;
        return NULL;
}
