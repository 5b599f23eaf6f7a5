/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a load balancer or a watchman asks the service for, at the admin socket: whether it serves.
 *
 * The loop answers it by itself, at once: no application thread, no queue and none of the limits
 * that clients have is in its way, so there is an answer however many of them there are.
 */
#pragma once

#include "base/arena.h"
#include "board/board.h"
#include "request/request.h"
#include "request/response.h"

/* Connections to the admin socket at a time, beside all others. */
#define HEALTH_CONNECTIONS_MAX 16

/** health_answer() - fill in the response to a request for a page: /ready, /live; 404, 405. */
void health_answer(struct response *response, struct arena *arena, const struct request *request,
                   const struct board *board);
