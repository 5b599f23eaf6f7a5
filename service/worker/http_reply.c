/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies of libmicrohttpd made from memory, from a file, or from what comes piece by piece. Loop
 * thread. */
#include "worker/http_reply.h"

#include <microhttpd.h>

#include "worker/http_pause.h"
#include "worker/transaction.h"

/* Of a response that is given piece by piece: one at a time is on its way to the kernel. */
#define PIECE_SIZE 16384

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

/* The length that a 304 may tell is that of the 200 (RFC 9110 8.6), which only the application
 * knows. Below 0.9.77 the library tells 0 all the same: it leaves a length out of nothing but 1xx,
 * 204 and what ends with the connection, and of a chunked one it sends the end. */
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

/* Its application does not wait for the client any more. */
static void give_up(struct transaction *transaction)
{
        transaction->too_slow = true;
        transaction->reason = "read too slowly for the threads that are left";
}

/* A piece of a response that is given piece by piece. libmicrohttpd would ask again and again as
 * long as there is nothing. */
static ssize_t on_piece(void *data, uint64_t position, char *room, size_t size)
{
        struct transaction *transaction = data;
        ssize_t n = transaction_is_cut(transaction)
                            ? STREAM_FAILED
                            : stream_read(transaction->exchange.stream, room, size);

        (void)position;
        if (n > 0)
                transaction->sent += (uint64_t)n;
        if (n == STREAM_NOTHING)
                http_rest(transaction);
        if (n == STREAM_END)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (n == STREAM_FAILED) {
                if (stream_gave_up(transaction->exchange.stream))
                        give_up(transaction);
                transaction->cut_short = !transaction->abandoned;
                return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        return n;
}

/* Of what the application gives piece by piece. 0.9.75 sends the end of a chunked body also to a
 * HEAD request, which the client takes for his next response: without a length such a connection
 * ends. */
struct MHD_Response *http_reply_streamed(struct transaction *transaction)
{
        size_t size = transaction->answer->body_size;
        bool unknown = size == RESPONSE_SIZE_UNKNOWN;
        struct MHD_Response *reply = MHD_create_response_from_callback(
                unknown ? MHD_SIZE_UNKNOWN : size, PIECE_SIZE, on_piece, transaction, NULL);

        if (reply && unknown && !transaction->exchange.stream)
                (void)MHD_set_response_options(reply, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                               MHD_RO_END);
        if (reply && transaction->answer->status == 304 && size == 0)
                leave_length_out(reply);
        return reply;
}
