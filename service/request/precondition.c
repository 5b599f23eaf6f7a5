/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditions of requests: entity tags and dates compared with what is there. Any thread. */
#include "request/precondition.h"

#include <string.h>

#include "request/http_date.h"

/* RFC 9110 8.8.3.2: strong, neither tag is weak; weak, only the opaque parts count. */
enum comparison { STRONG, WEAK };

/* Whether a list of entity tags (RFC 9110 8.8.3) has one that matches a strong one. */
static bool list_matches(const char *text, const char *etag, enum comparison comparison)
{
        size_t size = strlen(etag);

        for (;; text++) {
                const char *end;
                bool weak;

                text += strspn(text, ", \t");
                weak = text[0] == 'W' && text[1] == '/';
                text += weak ? 2 : 0;
                end = *text == '"' ? strchr(text + 1, '"') : NULL;
                if (!end)
                        return false;
                if ((!weak || comparison == WEAK) && (size_t)(end - text) + 1 == size &&
                    memcmp(text, etag, size) == 0)
                        return true;
                text = end + 1 + strspn(end + 1, " \t");
                if (*text != ',')
                        return false;
        }
}

static bool matches_any(const char *text)
{
        return *text == '*' && value_ends(text + 1);
}

/* RFC 9110 5.3: several lines of a field are one list. */
static bool field_matches(const struct request *request, const char *name, const char *etag,
                          enum comparison comparison)
{
        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (header_is(header, name) &&
                    (matches_any(header->value) || list_matches(header->value, etag, comparison)))
                        return true;
        }
        return false;
}

/* RFC 9110 13.1.3 and 13.1.4: a field that is no date, or more than one, is ignored. */
static bool date_of(const struct request *request, const char *name, int64_t now, int64_t *ret)
{
        const struct header *only = request_only_header(request, name);

        return only && http_date_parse(only->value, now, ret) == 0;
}

/* RFC 9110 13.2.2, steps 1 and 2. */
static bool still_the_same(const struct request *request, const struct validators *validators)
{
        int64_t date;

        if (request_header(request, "If-Match"))
                return field_matches(request, "If-Match", validators->etag, STRONG);
        return !date_of(request, "If-Unmodified-Since", validators->now, &date) ||
               validators->last_modified <= date;
}

/* RFC 9110 13.2.2, steps 3 and 4. */
static bool known_to_client(const struct request *request, const struct validators *validators,
                            bool reads)
{
        int64_t date;

        if (request_header(request, "If-None-Match"))
                return field_matches(request, "If-None-Match", validators->etag, WEAK);
        return reads && date_of(request, "If-Modified-Since", validators->now, &date) &&
               validators->last_modified <= date;
}

int precondition_status(const struct request *request, const struct validators *validators)
{
        bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;

        if (!still_the_same(request, validators))
                return 412;
        if (known_to_client(request, validators, reads))
                return reads ? 304 : 412;
        return 0;
}

/*
 * RFC 9110 13.1.5: a tag counts when it is strong, a date when it is exactly that of the file and
 * strong (8.8.2.2), which it is not within the second in which the file changed.
 */
bool precondition_range(const struct request *request, const struct validators *validators)
{
        const struct header *only = request_only_header(request, "If-Range");
        size_t size = strlen(validators->etag);
        int64_t date;

        if (!only)
                return !request_header(request, "If-Range");
        if (*only->value == '"')
                return strncmp(only->value, validators->etag, size) == 0 &&
                       value_ends(only->value + size);
        return http_date_parse(only->value, validators->now, &date) == 0 &&
               date == validators->last_modified && validators->now > date;
}
