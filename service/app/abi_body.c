/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions of appsrv.h that read the body of a request. Each runs on the application
 * thread that has the request. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <string.h>

#include "app/kind.h"

const void *appsrv_body(appsrv_req *req, size_t *len)
{
        const struct exchange *exchange = (const struct exchange *)req;
        const struct request *request = exchange->request;
        bool whole = !exchange->intake && request->body_size > 0;

        if (len)
                *len = whole ? request->body_size : 0;
        return whole ? request->body : "";
}

static int64_t read_gathered(struct exchange *exchange, void *room, size_t size)
{
        const struct request *request = exchange->request;
        size_t left = request->body_size - exchange->read;

        if (size > left)
                size = left;
        if (size > 0)
                memcpy(room, request->body + exchange->read, size);
        exchange->read += size;
        return (int64_t)size;
}

int64_t appsrv_read(appsrv_req *req, void *room, size_t size)
{
        struct exchange *exchange = (struct exchange *)req;

        if (size == 0)
                return -EINVAL;
        if (!exchange->intake)
                return read_gathered(exchange, room, size);
        return exchange->stream ? -EALREADY : stream_take(exchange->intake, room, size);
}
