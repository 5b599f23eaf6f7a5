/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections suspended and resumed. Loop thread. */
#include "worker/http_pause.h"

#include <microhttpd.h>

#include "worker/connection.h"
#include "worker/http_info.h"
#include "worker/transaction.h"

/* Seconds: so long that it never comes to pass. */
#define FIRST_TIMEOUT 86400u

void http_goes_first(struct connection *connection, struct MHD_Connection *mhd, bool first)
{
        if (connection->goes_first == first)
                return;
        connection->goes_first = first;
        (void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                        first ? FIRST_TIMEOUT : 0u);
}

/* From 1.0 on a connection that is suspended already keeps the timeout that it has. */
void http_rest(struct transaction *transaction)
{
        struct connection *connection = http_connection_of(transaction->connection);

        transaction_rests(transaction);
        connection_enter(connection, CONNECTION_WORKING);
        http_goes_first(connection, transaction->connection,
                        transaction->gathered && transaction->phase != TRANSACTION_ANSWERED);
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
