/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of a request are made of: tokens, values, names without case. Any thread. */
#include "request/request.h"

#include <string.h>

static char lower(char byte)
{
        if (byte >= 'A' && byte <= 'Z')
                return (char)(byte + ('a' - 'A'));
        return byte;
}

static bool alphanumeric(char byte)
{
        return (byte >= '0' && byte <= '9') || (lower(byte) >= 'a' && lower(byte) <= 'z');
}

bool equal_ignoring_case(const char *text, size_t size, const char *other)
{
        if (strlen(other) != size)
                return false;
        for (size_t i = 0; i < size; i++) {
                if (lower(text[i]) != lower(other[i]))
                        return false;
        }
        return true;
}

bool token_valid(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (!alphanumeric(text[i]) && (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
                        return false;
        }
        return size > 0;
}

bool value_ends(const char *text)
{
        return text[strspn(text, " \t")] == '\0';
}

bool field_value_valid(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                unsigned char byte = (unsigned char)text[i];

                if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
                        return false;
        }
        return true;
}

bool header_is(const struct header *header, const char *name)
{
        return equal_ignoring_case(header->name, header->name_size, name);
}

const struct header *request_header(const struct request *request, const char *name)
{
        for (size_t i = 0; i < request->n_headers; i++) {
                if (header_is(&request->headers[i], name))
                        return &request->headers[i];
        }
        return NULL;
}

const struct header *request_only_header(const struct request *request, const char *name)
{
        const struct header *only = NULL;

        for (size_t i = 0; i < request->n_headers; i++) {
                if (!header_is(&request->headers[i], name))
                        continue;
                if (only)
                        return NULL;
                only = &request->headers[i];
        }
        return only;
}
