/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions of appsrv.h that give a response piece by piece. Each runs on the
 * application thread that has the request. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <string.h>

#include "app/kind.h"

static bool has_body(const struct exchange *exchange)
{
        return exchange->response->status != 304 && strcmp(exchange->request->method, "HEAD") != 0;
}

/* A 304 may tell the length of the body that the client has got already (RFC 9110 8.6). */
static bool tells_of_another(const struct exchange *exchange, int code, int64_t length)
{
        return length > 0 && (code != 0 ? code : exchange->status) == 304;
}

/* The head of the response is complete. Where no body follows it leaves when handle() has returned.
 */
static int begin_stream(struct exchange *exchange)
{
        if (!has_body(exchange))
                return 0;
        exchange->stream =
                stream_new(exchange->news, exchange->news_data, &exchange->app->host->stream_terms);
        if (!exchange->stream)
                return -ENOMEM;
        /* It cannot leave before the request is over: waiting for each other would be for ever. */
        stream_break(exchange->intake);
        exchange->news(exchange->news_data);
        return 0;
}

int appsrv_begin(appsrv_req *req, int code, const char *type, int64_t length)
{
        struct exchange *exchange = (struct exchange *)req;
        struct response before = *exchange->response;
        int r;

        if (length < -1)
                return -EINVAL;
        r = exchange_set_head(exchange, code, type,
                              length != 0 && !tells_of_another(exchange, code, length));
        if (r < 0)
                return r;
        exchange->response->streamed = true;
        exchange->response->body_size = length < 0 ? RESPONSE_SIZE_UNKNOWN : (size_t)length;
        exchange->sent = true;
        r = begin_stream(exchange);
        if (r < 0) {
                *exchange->response = before;
                exchange->sent = false;
        }
        return r;
}

int appsrv_write(appsrv_req *req, const void *bytes, size_t size)
{
        struct exchange *exchange = (struct exchange *)req;
        const struct response *response = exchange->response;
        int r;

        if (!exchange->sent) {
                r = appsrv_begin(req, 0, NULL, -1);
                if (r < 0)
                        return r;
        }
        if (!response->streamed)
                return -EALREADY;
        if (size > response->body_size - exchange->written)
                return -EMSGSIZE;
        exchange->written += size;
        return exchange->stream ? stream_write(exchange->stream, bytes, size) : 0;
}
