/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was refused is known from libmicrohttpd's message alone; what was begun, from the kernel's
 * count of bytes. Loop thread. */
#include "worker/unseen.h"

#include <string.h>

/* The kernel counts the end of the client's stream as a received byte. */
#define FIN_SIZE 1

void refusals_add(struct refusals *refusals, unsigned status)
{
        if (refusals->n < REFUSALS_MAX)
                refusals->statuses[refusals->n++] = status;
}

/* The oldest; 0: none. */
static unsigned take(struct refusals *refusals)
{
        unsigned status;

        if (refusals->n == 0)
                return 0;
        status = refusals->statuses[0];
        refusals->n--;
        memmove(refusals->statuses, refusals->statuses + 1,
                refusals->n * sizeof(refusals->statuses[0]));
        return status;
}

static const char *reason_of(unsigned status)
{
        switch (status) {
        case 413:
                return "body too large";
        case 414:
                return "request line too long";
        case 431:
                return "headers too large";
        case 505:
                return "HTTP version not supported";
        default:
                return "malformed request";
        }
}

bool refusals_settle(struct refusals *refusals, struct transaction *transaction)
{
        unsigned status = take(refusals);

        if (status > 0)
                transaction_refuse(transaction, (int)status, reason_of(status), true);
        return status > 0;
}

/* Nothing is known of it but how it ended: its record has no method and no target. */
static void record(struct service *service, const struct connection *connection, unsigned status,
                   enum outcome outcome)
{
        struct transaction *transaction = transaction_new(service, NULL, connection->peer);

        if (!transaction)
                return;
        transaction->request.started_usec = connection->since;
        if (outcome == OUTCOME_REJECTED)
                transaction_refuse(transaction, (int)status, reason_of(status), true);
        transaction_end(transaction, outcome);
}

void unseen_greeting(struct service *service, enum greeting_end end, const struct sockaddr *peer,
                     uint64_t since)
{
        static const struct {
                enum outcome outcome;
                const char *reason; /* of a refusal */
        } endings[] = {
                [GREETING_STRANGER] = {OUTCOME_REJECTED,
                                       "its address is not in forwarded_allow_ips"},
                [GREETING_MALFORMED] = {OUTCOME_REJECTED, "no PROXY header"},
                [GREETING_LEFT] = {OUTCOME_CLIENT_ABORT, NULL},
                [GREETING_EXPIRED] = {OUTCOME_TIMEOUT, NULL},
        };
        char text[REQUEST_PEER_MAX];
        struct transaction *transaction;

        connection_format_peer(peer, text);
        transaction = transaction_new(service, NULL, text);
        if (!transaction)
                return;
        transaction->request.started_usec = since;
        if (endings[end].reason)
                transaction_refuse(transaction, 400, endings[end].reason, true);
        transaction_end(transaction, endings[end].outcome);
}

/* How a connection ended that brought the beginning of a request and no more. */
static enum outcome outcome_of(const struct connection *connection,
                               const struct socket_facts *facts)
{
        if (connection->expired)
                return OUTCOME_TIMEOUT;
        if (facts->closed)
                return OUTCOME_CLIENT_ABORT;
        return OUTCOME_REJECTED; /* libmicrohttpd closes without an answer on some lines */
}

/* Bytes for HTTP, and the end. */
static uint64_t heard(const struct connection *connection, const struct socket_facts *facts)
{
        return connection->encrypted ? connection->inside.bytes + FIN_SIZE : facts->received;
}

bool unseen_record(struct service *service, const struct connection *connection,
                   const struct socket_facts *facts, struct refusals *refusals)
{
        uint64_t received = heard(connection, facts);

        if (refusals->n > 0 && (received == 0 || received > connection->received + FIN_SIZE)) {
                record(service, connection, take(refusals), OUTCOME_REJECTED);
                return true;
        }
        if (!connection->served && received > connection->received + FIN_SIZE)
                record(service, connection, 400, outcome_of(connection, facts));
        return false;
}
