/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few pages, made from the board that all workers share. */
#include "worker/health.h"

#include <string.h>

#define METHODS "GET, HEAD"

/* Also of a worker that drains: another one has taken over, unless the service stops. */
static bool is_ready(const struct board *board)
{
        return !board_is_closing(board);
}

/* Who asks is answered, and so it is. */
static bool is_live(const struct board *board)
{
        (void)board;
        return true;
}

static const struct {
        const char *path;
        bool (*holds)(const struct board *board);
        const char *yes;
        const char *no;
} pages[] = {
        {"/ready", is_ready, "ready\n", "not ready\n"},
        {"/live", is_live, "live\n", NULL},
};

static void give(struct response *response, struct arena *arena, int status, const char *text)
{
        response->status = status;
        (void)response_set_header(response, arena, "Content-Type", "text/plain; charset=utf-8");
        (void)response_set_header(response, arena, "Cache-Control", "no-store");
        (void)response_set_body(response, arena, text, strlen(text));
}

static bool is_read_only(const char *method)
{
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void health_answer(struct response *response, struct arena *arena, const struct request *request,
                   const struct board *board)
{
        for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
                bool holds;

                if (strcmp(request->path, pages[i].path) != 0)
                        continue;
                if (!is_read_only(request->method)) {
                        response_error(response, arena, 405, NULL);
                        (void)response_set_header(response, arena, "Allow", METHODS);
                        return;
                }
                holds = pages[i].holds(board);
                give(response, arena, holds ? 200 : 503, holds ? pages[i].yes : pages[i].no);
                return;
        }
        response_error(response, arena, 404, "the admin socket has /ready and /live");
}
