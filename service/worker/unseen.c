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

static unsigned take(struct refusals *refusals, size_t at)
{
        unsigned status = refusals->statuses[at];

        refusals->n--;
        memmove(refusals->statuses + at, refusals->statuses + at + 1,
                (refusals->n - at) * sizeof(refusals->statuses[0]));
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

/* Only behind a request line that was taken. */
static bool of_seen_request(unsigned status)
{
        return status == 431 || status == 413;
}

/* The oldest one of a request that was seen or not. Return: refusals->n: there is none. */
static size_t find(const struct refusals *refusals, bool seen)
{
        size_t at = 0;

        while (at < refusals->n && of_seen_request(refusals->statuses[at]) != seen)
                at++;
        return at;
}

/* Those of one status are as good as each other. */
static size_t find_status(const struct refusals *refusals, unsigned status)
{
        size_t at = 0;

        while (at < refusals->n && refusals->statuses[at] != status)
                at++;
        return at;
}

void refusals_settle(struct refusals *refusals, struct transaction *transaction, unsigned status)
{
        size_t at = status > 0 ? find_status(refusals, status) : find(refusals, true);

        if (at < refusals->n)
                status = take(refusals, at);
        if (status == 0)
                status = 400;
        transaction_refused(transaction, (int)status, reason_of(status));
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
        size_t at = find(refusals, false);

        if (connection->ends)
                return false;
        if (at < refusals->n && (received == 0 || received > connection->received + FIN_SIZE)) {
                record(service, connection, take(refusals, at), OUTCOME_REJECTED);
                return true;
        }
        if (!connection->served && received > connection->received + FIN_SIZE)
                record(service, connection, 400, outcome_of(connection, facts));
        return false;
}
