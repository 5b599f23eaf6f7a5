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

/* The length that a 304 may tell is that of the 200 (RFC 9110 8.6), which is not known here. Below
 * 0.9.77 the library tells 0 all the same. */
static void leave_length_out(struct MHD_Response *reply)
{
#if MHD_VERSION >= 0x00097701
        (void)MHD_set_response_options(reply, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
#else
        (void)reply;
#endif
}

struct MHD_Response *http_reply(struct response *response)
{
        struct MHD_Response *reply;
        union {
                const char *text;
                void *buffer;
        } body = {.text = response->body ? response->body : ""};

        if (response->has_file)
                return file_reply(response);
        /* PERSISTENT: the body lives in the transaction, which ends after the response has been
         * sent. */
        reply = MHD_create_response_from_buffer(response->body_size, body.buffer,
                                                MHD_RESPMEM_PERSISTENT);
        if (reply && response->status == 304)
                leave_length_out(reply);
        return reply;
}
