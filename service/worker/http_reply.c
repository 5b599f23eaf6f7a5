/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies of libmicrohttpd made from memory or from a file. Loop thread. */
#include "worker/http_reply.h"

#include <microhttpd.h>

/* The library closes the file together with the reply. */
static struct MHD_Response *file_reply(struct response *response)
{
        struct MHD_Response *reply;

        reply = MHD_create_response_from_fd_at_offset64(response->body_size, response->file,
                                                        response->file_offset);
        if (reply)
                (void)response_take_file(response);
        return reply;
}

struct MHD_Response *http_reply(struct response *response)
{
        union {
                const char *text;
                void *buffer;
        } body = {.text = response->body ? response->body : ""};

        if (response->has_file)
                return file_reply(response);
        /* PERSISTENT: the body lives in the transaction, which ends after the response has been
         * sent. */
        return MHD_create_response_from_buffer(response->body_size, body.buffer,
                                               MHD_RESPMEM_PERSISTENT);
}
