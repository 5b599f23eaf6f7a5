/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections suspended and resumed. Loop thread. */
#include "worker/http_pause.h"

#include <microhttpd.h>

#include "worker/connection.h"
#include "worker/http_info.h"
#include "worker/transaction.h"

void http_rest(struct transaction *transaction)
{
        transaction_rests(transaction);
        connection_enter(http_connection_of(transaction->connection), CONNECTION_WORKING);
        transaction->suspended = true;
        (void)MHD_suspend_connection(transaction->connection);
}

void http_wake(struct transaction *transaction)
{
        if (!transaction->suspended)
                return;
        transaction->suspended = false;
        transaction_goes_on(transaction);
        connection_enter(http_connection_of(transaction->connection),
                         transaction->gathered ? CONNECTION_SENDING : CONNECTION_BODY);
        MHD_resume_connection(transaction->connection);
}
