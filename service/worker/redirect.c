/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The application gets a request of its own, the record keeps that of the client. */
#include "worker/redirect.h"

#include <string.h>

#include "request/route.h"
#include "request/target.h"

/* Two programs that name each other would go on for ever. */
#define REDIRECTS_MAX 10

/* What describes a body: it went to the first application. */
static bool is_of_body(const struct header *header)
{
        static const char *const names[] = {"Content-Length", "Content-Type", "Content-Encoding",
                                            "Transfer-Encoding", "Expect"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (header_is(header, names[i]))
                        return true;
        return false;
}

/* The request of the client for @target instead, as GET or HEAD. NULL: no memory. */
static struct request *request_for(struct transaction *transaction, const char *target)
{
        const struct request *original = &transaction->request;
        struct request *request = arena_alloc(&transaction->arena, sizeof(*request));

        if (!request)
                return NULL;
        *request = *original;
        request->target = target;
        request->target_size = strlen(target);
        request->method = strcmp(original->method, "HEAD") == 0 ? "HEAD" : "GET";
        request->body = "";
        request->body_size = 0;
        request->n_headers = 0;
        request->headers =
                arena_alloc(&transaction->arena, (original->n_headers + 1) * sizeof(struct header));
        if (!request->headers)
                return NULL;
        for (size_t i = 0; i < original->n_headers; i++)
                if (!is_of_body(&original->headers[i]))
                        request->headers[request->n_headers++] = original->headers[i];
        return request;
}

static bool refuse(struct transaction *transaction, int status, const char *reason)
{
        transaction->reason = reason;
        response_error(&transaction->response, &transaction->arena, status, NULL);
        return false;
}

bool redirect_follow(struct transaction *transaction)
{
        struct service *service = transaction->service;
        const char *target = transaction->exchange.redirect;
        struct request *request;
        const char *host;

        if (!target || transaction->over || transaction->overdue || transaction->abandoned)
                return false;
        if (++transaction->redirects > REDIRECTS_MAX)
                return refuse(transaction, 502, "too many local redirects");
        request = request_for(transaction, target);
        if (!request)
                return refuse(transaction, 503, "no memory for a local redirect");
        host = request->host;
        if (target_parse(request, &transaction->arena).status != 0)
                return refuse(transaction, 502, "a local redirect to what is no target");
        request->host = host;
        transaction->app = route_find(service->config, request->path, request->path_size);
        if (transaction->app < 0)
                return refuse(transaction, 404, "a local redirect to where nothing is mounted");
        flight_describe(transaction->flight, transaction->request.method,
                        transaction->request.version, app_name(service->apps[transaction->app]));
        transaction_run(transaction, request, NULL);
        return true;
}
