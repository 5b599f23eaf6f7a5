/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block is cut into strings where it lies. */
#include "app/cgi_head.h"

#include <string.h>

#include "base/number.h"

#define STATUS_MIN 200
#define STATUS_MAX 599

size_t cgi_head_end(const char *text, size_t size)
{
        size_t at = 0;

        while (at < size) {
                const char *newline = memchr(text + at, '\n', size - at);
                size_t length;

                if (!newline)
                        return 0;
                length = (size_t)(newline - text) - at;
                if (length == 0 || (length == 1 && text[at] == '\r'))
                        return at + length + 1;
                at += length + 1;
        }
        return 0;
}

static const char *take_status(struct cgi_head *head, const char *value)
{
        char digits[4];
        uint64_t number;

        if (head->status != 0)
                return "more than one Status";
        if (strnlen(value, 3) < 3 || (value[3] != '\0' && value[3] != ' '))
                return "a Status that is no number of three digits";
        memcpy(digits, value, 3);
        digits[3] = '\0';
        if (parse_number(digits, &number) < 0 || number < STATUS_MIN || number > STATUS_MAX)
                return "a Status that is not 200 to 599";
        head->status = (int)number;
        return NULL;
}

static const char *take_length(struct cgi_head *head, const char *value)
{
        if (head->length != CGI_LENGTH_UNKNOWN)
                return "more than one Content-Length";
        if (parse_number(value, &head->length) < 0 || head->length == CGI_LENGTH_UNKNOWN)
                return "a Content-Length that is no number";
        return NULL;
}

static const char *take_field(struct cgi_head *head, const struct header *field)
{
        if (header_is(field, "Status"))
                return take_status(head, field->value);
        if (header_is(field, "Content-Length"))
                return take_length(head, field->value);
        if (header_is(field, "Content-Type")) {
                if (head->type)
                        return "more than one Content-Type";
                head->type = field->value;
                return NULL;
        }
        if (header_is(field, "Location")) {
                if (head->location)
                        return "more than one Location";
                if (field->value_size == 0)
                        return "an empty Location";
                head->location = field->value;
                return NULL;
        }
        if (head->n_headers == CGI_FIELDS_MAX)
                return "too many header fields";
        head->headers[head->n_headers++] = *field;
        return NULL;
}

static bool is_blank(char byte)
{
        return byte == ' ' || byte == '\t';
}

/* @line: @size bytes, and one more that may be written to. */
static const char *take_line(struct cgi_head *head, char *line, size_t size)
{
        char *colon = memchr(line, ':', size);
        char *value, *end = line + size;
        struct header field;

        if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
                return "a status line of HTTP: programs without parsed headers (NPH) are not "
                       "served";
        if (is_blank(*line))
                return "a folded header line";
        if (!colon)
                return "a header line without a colon";
        if (!token_valid(line, (size_t)(colon - line)))
                return "a header whose name is no token";
        for (value = colon + 1; value < end && is_blank(*value);)
                value++;
        while (end > value && is_blank(end[-1]))
                end--;
        if (!field_value_valid(value, (size_t)(end - value)))
                return "a header whose value has a control character";
        *colon = *end = '\0';
        field = (struct header){line, value, (size_t)(colon - line), (size_t)(end - value)};
        return take_field(head, &field);
}

const char *cgi_head_parse(char *text, size_t size, struct cgi_head *ret)
{
        const char *end = text + size;

        ret->status = 0;
        ret->location = ret->type = NULL;
        ret->length = CGI_LENGTH_UNKNOWN;
        ret->n_headers = 0;
        while (text < end) {
                char *newline = memchr(text, '\n', (size_t)(end - text));
                size_t length = (size_t)(newline - text);
                const char *fault;

                if (length > 0 && newline[-1] == '\r')
                        length--;
                if (length == 0)
                        break;
                fault = take_line(ret, text, length);
                if (fault)
                        return fault;
                text = newline + 1;
        }
        if (ret->status == 0 && !ret->location && !ret->type)
                return "neither Content-Type, Location nor Status";
        return NULL;
}

/* "//host/" names another server. A program that gives a status wants it to be seen. */
bool cgi_head_is_local(const struct cgi_head *head)
{
        return head->location && head->location[0] == '/' && head->location[1] != '/' &&
               head->status == 0;
}

int cgi_head_status(const struct cgi_head *head)
{
        if (head->status != 0)
                return head->status;
        return head->location ? 302 : 200;
}
