/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: a shared object that is no application. */
#include <appsrv/appsrv.h>

int appsrv_is_not_here(void);

int appsrv_is_not_here(void)
{
        return 0;
}
