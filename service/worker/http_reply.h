/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bodies of responses as libmicrohttpd takes them. Loop thread. */
#pragma once

#include "request/response.h"

struct MHD_Response;
struct transaction;

/**
 * http_reply() - a reply with the body of a response; status and headers are the caller's to add
 * @response: memory that is the body must stay until the reply is sent; a file is taken from it
 *
 * Return: the reply, freed with MHD_destroy_response(); NULL when there is no memory.
 */
struct MHD_Response *http_reply(struct response *response);

/** http_reply_streamed() - the same with what its application gives piece by piece. */
struct MHD_Response *http_reply_streamed(struct transaction *transaction);
