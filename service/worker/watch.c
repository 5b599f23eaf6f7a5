/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Told once; the connection is cut when the application is done. */
#include "worker/watch.h"

#include <string.h>

#include "worker/socket.h"

bool watch_wanted(const struct transaction *transaction)
{
        return transaction->running && !transaction->abandoned &&
               app_is_abandonable(transaction->service->apps[transaction->app]);
}

/* RFC 9110 15.2: a client of HTTP/1.1 takes any number of them before the response. */
static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

void watch_closed(struct transaction *transaction, int fd)
{
        bool takes_interim = strcmp(transaction->request.version, "HTTP/1.1") == 0;

        if (transaction->begun) {
                watch_left(transaction);
        } else if (!transaction->probed) {
                transaction->probed = true;
                socket_probe(fd, takes_interim ? interim : NULL);
        }
}

void watch_left(struct transaction *transaction)
{
        transaction->abandoned = true;
        if (transaction->begun)
                stream_break(transaction->exchange.stream);
        app_abandon(&transaction->exchange);
}
