/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head of a request out of libmicrohttpd's memory.
 *
 * Copied, since an application may still be busy with a request whose connection is over, and with
 * it that memory. Loop thread.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "base/arena.h"
#include "request/request.h"

/** http_take_head() - set method, version and headers of a request. Return: false when there is no
 * memory. */
bool http_take_head(struct request *request, struct arena *arena, struct MHD_Connection *mhd,
                    const char *method, const char *version);
