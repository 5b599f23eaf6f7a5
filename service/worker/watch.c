/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Told once; the connection is cut when the application is done. */
#include "worker/watch.h"

bool watch_wanted(const struct transaction *transaction)
{
        return transaction->running && !transaction->abandoned &&
               app_is_abandonable(transaction->service->apps[transaction->app]);
}

void watch_left(struct transaction *transaction)
{
        transaction->abandoned = true;
        if (transaction->begun)
                stream_break(transaction->exchange.stream);
        app_abandon(&transaction->exchange);
}
