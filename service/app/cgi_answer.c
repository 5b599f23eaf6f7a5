/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions of appsrv.h give the response: a program is an application like others. */
#include "app/cgi_answer.h"

#include <appsrv/appsrv.h>

#include <errno.h>
#include <string.h>

#include "app/stream.h"

void cgi_answer_begin(struct cgi_answer *answer, struct exchange *exchange, char *room,
                      uint64_t limit)
{
        *answer = (struct cgi_answer){.exchange = exchange, .room = room, .limit = limit};
}

static appsrv_req *request_of(const struct cgi_answer *answer)
{
        return (appsrv_req *)answer->exchange;
}

static bool fail(struct cgi_answer *answer, const char *fault)
{
        if (!answer->fault)
                answer->fault = fault;
        return false;
}

char *cgi_answer_room(struct cgi_answer *answer, size_t *ret_size)
{
        *ret_size = CGI_ROOM - answer->held;
        return answer->room + answer->held;
}

/* -- the head -- */

/* Content of 204, 205 and 304 is none (RFC 9110, 15.3.5, 15.3.6, 15.4.5). */
static bool without_content(int status)
{
        return status == 204 || status == 205 || status == 304;
}

/* A 304 may tell the length of the body that the client has got already (RFC 9110 8.6). */
static bool tells_of_another(const struct cgi_head *head)
{
        return cgi_head_status(head) == 304 && head->length > 0 && head->length <= INT64_MAX;
}

/* Headers of the connection, Date and the like are the server's own: what a program says of them is
 * left out. */
static bool set_headers(struct cgi_answer *answer)
{
        struct exchange *exchange = answer->exchange;
        int r = 0;

        if (answer->head.location)
                r = response_set_header(exchange->response, exchange->arena, "Location",
                                        answer->head.location);
        for (size_t i = 0; i < answer->head.n_headers && (r == 0 || r == -EINVAL); i++)
                r = response_add_header(exchange->response, exchange->arena,
                                        answer->head.headers[i].name,
                                        answer->head.headers[i].value);
        if (r == -E2BIG)
                return fail(answer, "its header block is too large");
        return r == 0 || r == -EINVAL || fail(answer, "no memory for its header block");
}

static bool parse(struct cgi_answer *answer)
{
        size_t size = cgi_head_end(answer->room, answer->held);
        struct arena *arena = answer->exchange->arena;
        const char *fault;
        char *text;

        if (size > CGI_HEAD_MAX || (size == 0 && answer->held >= CGI_HEAD_MAX))
                return fail(answer, "its header block is too large");
        if (size == 0)
                return true;
        text = arena_copy(arena, answer->room, size);
        answer->head.headers = arena_alloc(arena, CGI_FIELDS_MAX * sizeof(struct header));
        if (!text || !answer->head.headers)
                return fail(answer, "no memory for its header block");
        fault = cgi_head_parse(text, size, &answer->head);
        if (fault)
                return fail(answer, fault);
        answer->parsed = true;
        answer->held -= size;
        memmove(answer->room, answer->room + size, answer->held);
        return true;
}

const char *cgi_answer_local(const struct cgi_answer *answer)
{
        return answer->parsed && cgi_head_is_local(&answer->head) ? answer->head.location : NULL;
}

/* -- the body -- */

/* Bytes of the body that are wanted: what a program writes beyond the length that it has given is
 * not. */
static bool count(struct cgi_answer *answer, size_t size)
{
        uint64_t length = answer->head.length;
        uint64_t most = length - answer->body;

        if (length != CGI_LENGTH_UNKNOWN && size > most) {
                answer->held -= size - (size_t)most;
                size = (size_t)most;
        }
        answer->body += size;
        if (answer->limit > 0 && answer->body > answer->limit)
                return fail(answer, "its output is beyond output_limit");
        return true;
}

static bool send_held(struct cgi_answer *answer)
{
        size_t size = answer->held;

        answer->held = 0;
        if (size == 0 || without_content(cgi_head_status(&answer->head)))
                return true;
        if (appsrv_write(request_of(answer), answer->room, size) == 0)
                return true;
        answer->gone = true;
        return false;
}

bool cgi_answer_holds(const struct cgi_answer *answer)
{
        return answer->parsed && !answer->begun && !answer->fault && !cgi_answer_local(answer);
}

static bool is_head(const struct cgi_answer *answer)
{
        return strcmp(answer->exchange->request->method, "HEAD") == 0;
}

/* Who waits for the end of the body has it now, although the program may go on. What is shorter
 * than it should be is cut when the exchange ends. */
static void end_body(const struct cgi_answer *answer)
{
        const struct cgi_head *head = &answer->head;

        if (head->length == CGI_LENGTH_UNKNOWN || answer->body == head->length)
                stream_end(answer->exchange->stream, 0);
}

static bool begin(struct cgi_answer *answer)
{
        int status = cgi_head_status(&answer->head);
        uint64_t length = answer->head.length;
        int r;

        if (length == CGI_LENGTH_UNKNOWN && answer->complete && !is_head(answer))
                length = answer->body;
        if (!set_headers(answer))
                return false;
        if (without_content(status) && !tells_of_another(&answer->head))
                r = appsrv_send(request_of(answer), status, answer->head.type, NULL, 0);
        else
                r = appsrv_begin(request_of(answer), status, answer->head.type,
                                 length > INT64_MAX ? -1 : (int64_t)length);
        if (r < 0)
                return fail(answer, r == -E2BIG ? "its header block is too large"
                                                : "no memory for its answer");
        answer->begun = true;
        return true;
}

bool cgi_answer_go(struct cgi_answer *answer)
{
        if (!begin(answer) || !send_held(answer))
                return false;
        if (answer->complete)
                end_body(answer);
        return true;
}

bool cgi_answer_take(struct cgi_answer *answer, size_t size)
{
        bool was_parsed = answer->parsed;

        answer->held += size;
        if (!was_parsed && !parse(answer))
                return false;
        if (!answer->parsed)
                return true;
        if (cgi_answer_local(answer)) {
                answer->held = 0;
                return true;
        }
        if (!count(answer, was_parsed ? size : answer->held))
                return false;
        if (answer->begun)
                return send_held(answer);
        return answer->held < CGI_ROOM || cgi_answer_go(answer);
}

void cgi_answer_complete(struct cgi_answer *answer)
{
        const struct cgi_head *head = &answer->head;

        if (answer->complete)
                return;
        answer->complete = true;
        if (answer->fault || answer->gone)
                return;
        if (!answer->parsed)
                (void)fail(answer, answer->held == 0 ? "it printed nothing"
                                                     : "its output ended within the header block");
        else if (head->length != CGI_LENGTH_UNKNOWN && answer->body < head->length &&
                 !is_head(answer) && !without_content(cgi_head_status(head)))
                (void)fail(answer, "it printed less than its Content-Length");
        else if (answer->begun)
                end_body(answer);
}

void cgi_answer_end(struct cgi_answer *answer)
{
        int status = cgi_head_status(&answer->head);
        int r;

        cgi_answer_complete(answer);
        if (!cgi_answer_holds(answer))
                return;
        /* What the length of a body would be that is not there only the program knows. */
        if (without_content(status) || (is_head(answer) && answer->held == 0)) {
                (void)cgi_answer_go(answer);
                return;
        }
        if (!set_headers(answer))
                return;
        r = appsrv_send(request_of(answer), status, answer->head.type, answer->room, answer->held);
        if (r < 0)
                (void)fail(answer, r == -E2BIG ? "its header block is too large"
                                               : "no memory for its answer");
        else
                answer->begun = true;
}
