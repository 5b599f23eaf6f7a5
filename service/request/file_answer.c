/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for files decided: validators made, conditions and ranges applied. Any thread. */
#include "request/file_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "request/http_date.h"
#include "request/precondition.h"

/* Four numbers of 64 bits in hexadecimal, the longest name of a coding, dashes and quotes. */
#define ETAG_MAX 96

/* "bytes 0-1/2" with three numbers of 64 bits. */
#define CONTENT_RANGE_MAX 80

/* A header to set; NULL: not this time. */
struct line {
        const char *name;
        const char *value;
};

/*
 * RFC 9110 8.8.3.3: each coding of a file has its own tag. Inode and nanoseconds tell apart what
 * was replaced within one second.
 */
static void format_etag(const struct file_facts *facts, char etag[static ETAG_MAX])
{
        (void)snprintf(etag, ETAG_MAX, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%" PRIx32 "%s%s\"",
                       facts->inode, facts->size, (uint64_t)facts->modified, facts->modified_nsec,
                       facts->coding ? "-" : "", facts->coding ? facts->coding : "");
}

/* RFC 9110 8.8.2.1: never later than the response itself. */
static int64_t last_modified(const struct file_facts *facts)
{
        int64_t modified = facts->modified < facts->now ? facts->modified : facts->now;

        if (modified < 0)
                return 0;
        return modified < HTTP_DATE_LAST ? modified : HTTP_DATE_LAST;
}

static int set_lines(struct response *response, struct arena *arena, const struct line *lines,
                     size_t n)
{
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++) {
                if (lines[i].value)
                        r = response_set_header(response, arena, lines[i].name, lines[i].value);
        }
        return r;
}

/* Headers that 200, 206 and 304 have alike (RFC 9110 15.3.7, 15.4.5). */
static int set_validators(struct response *response, struct arena *arena,
                          const struct file_facts *facts, const struct validators *validators)
{
        char date[HTTP_DATE_MAX];
        const struct line lines[] = {
                {"ETag", validators->etag},
                {"Last-Modified", http_date_format(validators->last_modified, date)},
                {"Cache-Control", facts->cache_control},
                {"Vary", facts->varies ? "Accept-Encoding" : NULL},
        };

        return set_lines(response, arena, lines, sizeof(lines) / sizeof(lines[0]));
}

static int set_content(struct response *response, struct arena *arena,
                       const struct file_facts *facts)
{
        const struct line lines[] = {
                {"Content-Type", facts->type},
                {"Content-Encoding", facts->coding},
                {"Accept-Ranges", "bytes"},
                {"X-Content-Type-Options", "nosniff"},
        };

        return set_lines(response, arena, lines, sizeof(lines) / sizeof(lines[0]));
}

/* RFC 9110 14.4: of a range that is not there only the size is told. */
static int set_content_range(struct response *response, struct arena *arena, uint64_t size,
                             const struct byte_range *range)
{
        char text[CONTENT_RANGE_MAX];

        if (range)
                (void)snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                               range->first, range->first + range->size - 1, size);
        else
                (void)snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
        return response_set_header(response, arena, "Content-Range", text);
}

/* RFC 9110 14.2: Range is for GET only, and means nothing when If-Range does not hold. */
static int choose_range(const struct request *request, const struct file_facts *facts,
                        const struct validators *validators, struct byte_range *ret)
{
        const struct header *range = request_only_header(request, "Range");

        if (!range || strcmp(request->method, "GET") != 0 ||
            !precondition_range(request, validators))
                return -EINVAL;
        return range_parse(range->value, facts->size, ret);
}

static int answer_error(struct response *response, struct arena *arena, int status)
{
        response_error(response, arena, status, NULL);
        return 0;
}

static int answer_content(const struct request *request, const struct file_facts *facts,
                          const struct validators *validators, struct arena *arena,
                          struct response *response, struct byte_range *ret)
{
        struct byte_range range = {.size = facts->size};
        int chosen = choose_range(request, facts, validators, &range);
        int r = 0;

        if (chosen == -ERANGE) {
                response_error(response, arena, 416, NULL);
                return set_content_range(response, arena, facts->size, NULL);
        }
        response->status = chosen == 0 ? 206 : 200;
        if (chosen == 0)
                r = set_content_range(response, arena, facts->size, &range);
        if (r == 0)
                r = set_content(response, arena, facts);
        *ret = range;
        return r < 0 ? r : 1;
}

int file_answer(const struct request *request, const struct file_facts *facts, struct arena *arena,
                struct response *response, struct byte_range *ret)
{
        char etag[ETAG_MAX];
        struct validators validators = {
                .etag = etag, .last_modified = last_modified(facts), .now = facts->now};
        int status, r;

        format_etag(facts, etag);
        status = precondition_status(request, &validators);
        if (status == 412)
                return answer_error(response, arena, status);
        r = set_validators(response, arena, facts, &validators);
        if (r < 0)
                return r;
        if (status == 0)
                return answer_content(request, facts, &validators, arena, response, ret);
        response->status = status;
        *ret = (struct byte_range){.size = facts->size};
        return 1;
}
