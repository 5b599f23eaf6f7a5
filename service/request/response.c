/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Responses put together in the memory of their request. Application threads and the loop thread,
 * one at a time.
 */
#include "request/response.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ": " and CR LF around every header. */
#define HEADER_OVERHEAD 4

#define ERROR_BODY_MAX 512

/* Headers of the connection or of every response: the server sets them itself. */
static const char *const own_headers[] = {
        "Connection", "Keep-Alive",   "Transfer-Encoding", "Content-Length",
        "Date",       "Server",       "Upgrade",           "Trailer",
        "TE",         "X-Request-ID",
};

/* RFC 9110 15 and those that other RFCs registered. */
static const struct {
        int status;
        const char *phrase;
} phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {208, "Already Reported"},
        {226, "IM Used"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {305, "Use Proxy"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {506, "Variant Also Negotiates"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
        {511, "Network Authentication Required"},
};

const char *status_phrase(int status)
{
        for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
                if (phrases[i].status == status)
                        return phrases[i].phrase;
        }
        return "Unknown";
}

static bool own_header(const char *name, size_t size)
{
        for (size_t i = 0; i < sizeof(own_headers) / sizeof(own_headers[0]); i++) {
                if (equal_ignoring_case(name, size, own_headers[i]))
                        return true;
        }
        return false;
}

static size_t wire_size(const struct header *header)
{
        return header->name_size + header->value_size + HEADER_OVERHEAD;
}

/* Bytes and number of the headers that setting @name would replace. */
static size_t replaced_size(const struct response *response, const char *name, size_t *n)
{
        size_t size = 0;

        *n = 0;
        for (size_t i = 0; i < response->n_headers; i++) {
                if (!header_is(&response->headers[i], name))
                        continue;
                size += wire_size(&response->headers[i]);
                (*n)++;
        }
        return size;
}

static void remove_headers(struct response *response, const char *name)
{
        size_t kept = 0;

        for (size_t i = 0; i < response->n_headers; i++) {
                if (!header_is(&response->headers[i], name))
                        response->headers[kept++] = response->headers[i];
                else
                        response->head_size -= wire_size(&response->headers[i]);
        }
        response->n_headers = kept;
}

/* Check and copy a header; @ret lives in the arena. */
static int make_header(struct header *ret, struct arena *arena, const char *name, const char *value)
{
        struct header header = {.name_size = strlen(name), .value_size = strlen(value)};

        if (!token_valid(name, header.name_size) || !field_value_valid(value, header.value_size) ||
            own_header(name, header.name_size))
                return -EINVAL;
        if (wire_size(&header) > RESPONSE_HEAD_MAX)
                return -E2BIG;

        header.name = arena_copy(arena, name, header.name_size);
        header.value = arena_copy(arena, value, header.value_size);
        if (!header.name || !header.value)
                return -ENOMEM;
        *ret = header;
        return 0;
}

static int put_header(struct response *response, struct arena *arena, const char *name,
                      const char *value, bool replace)
{
        size_t n_replaced = 0, size_replaced = 0;
        struct header header;
        int r = make_header(&header, arena, name, value);

        if (r < 0)
                return r;
        if (!response->headers)
                response->headers =
                        arena_alloc(arena, RESPONSE_HEADERS_MAX * sizeof(response->headers[0]));
        if (!response->headers)
                return -ENOMEM;

        if (replace)
                size_replaced = replaced_size(response, name, &n_replaced);
        if (response->n_headers - n_replaced >= RESPONSE_HEADERS_MAX ||
            response->head_size - size_replaced + wire_size(&header) > RESPONSE_HEAD_MAX)
                return -E2BIG;

        if (replace)
                remove_headers(response, name);
        response->headers[response->n_headers++] = header;
        response->head_size += wire_size(&header);
        return 0;
}

int response_set_header(struct response *response, struct arena *arena, const char *name,
                        const char *value)
{
        return put_header(response, arena, name, value, true);
}

int response_add_header(struct response *response, struct arena *arena, const char *name,
                        const char *value)
{
        return put_header(response, arena, name, value, false);
}

int response_set_body(struct response *response, struct arena *arena, const void *body, size_t size)
{
        const char *copy = arena_copy(arena, body, size);

        if (!copy)
                return -ENOMEM;
        response_drop_file(response);
        response->body = copy;
        response->body_size = size;
        return 0;
}

int response_take_file(struct response *response)
{
        if (!response->has_file)
                return -1;
        response->has_file = false;
        return response->file;
}

void response_drop_file(struct response *response)
{
        int fd = response_take_file(response);

        if (fd >= 0)
                (void)close(fd);
}

int response_set_file(struct response *response, int fd, uint64_t offset, uint64_t size)
{
        response_drop_file(response);
        response->has_file = true;
        response->file = fd;
        response->file_offset = offset;
        if (size > SIZE_MAX) {
                response_drop_file(response);
                return -EFBIG;
        }
        response->body_size = (size_t)size;
        return 0;
}

/* Without memory the phrase alone has to do: a refusal is never lost. */
static void set_error_body(struct response *response, struct arena *arena, const char *reason)
{
        const char *phrase = status_phrase(response->status);
        char text[ERROR_BODY_MAX];
        int n = snprintf(text, sizeof(text), "%d %s\n%s%s", response->status, phrase,
                         reason ? reason : "", reason ? "\n" : "");

        if (n < 0 || (size_t)n >= sizeof(text) ||
            response_set_body(response, arena, text, (size_t)n) < 0) {
                response->body = phrase;
                response->body_size = strlen(phrase);
        }
}

void response_error(struct response *response, struct arena *arena, int status, const char *reason)
{
        response_drop_file(response);
        response->n_headers = 0;
        response->head_size = 0;
        response->streamed = false;
        response->status = status;
        set_error_body(response, arena, reason);

        (void)response_set_header(response, arena, "Content-Type", "text/plain; charset=utf-8");
        if (status == 405) /* RFC 9110 15.5.6: the answer names what is allowed */
                (void)response_set_header(response, arena, "Allow", RESPONSE_METHODS);
        if (status == 503) /* 15.6.4; what is full now is not for long */
                (void)response_set_header(response, arena, "Retry-After", "1");
}
