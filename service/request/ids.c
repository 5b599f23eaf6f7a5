/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is not as it should be is no name: the server gives its own. */
#include "request/ids.h"

#include <string.h>

/* Nothing that could break a line, a header, a shell command or a field of the journal. */
static const char id_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "._~+/=:@-";

const struct header *ids_request_id(const struct request *request)
{
        const struct header *header = request_only_header(request, "X-Request-ID");

        if (!header || header->value_size == 0 || header->value_size >= REQUEST_ID_MAX ||
            strspn(header->value, id_bytes) != header->value_size)
                return NULL;
        return header;
}

static bool hex_digits(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
                        return false;
        }
        return true;
}

static bool all_zero(const char *text, size_t size)
{
        return strspn(text, "0") >= size;
}

/*
 * W3C Trace Context 3.2: version "-" trace-id "-" parent-id "-" flags, lower-case digits, ids not
 * all zero; version 00 ends there, a later one may go on behind another "-", ff is forbidden.
 */
static bool traceparent_valid(const struct header *header)
{
        enum { VERSION = 0, TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };
        const char *text = header->value;

        if (header->value_size < END || text[TRACE - 1] != '-' || text[PARENT - 1] != '-' ||
            text[FLAGS - 1] != '-')
                return false;
        if (!hex_digits(text + VERSION, 2) || !hex_digits(text + TRACE, 32) ||
            !hex_digits(text + PARENT, 16) || !hex_digits(text + FLAGS, 2))
                return false;
        if (all_zero(text + TRACE, 32) || all_zero(text + PARENT, 16) ||
            strncmp(text, "ff", 2) == 0)
                return false;
        if (strncmp(text, "00", 2) == 0)
                return header->value_size == END;
        return header->value_size == END || text[END] == '-';
}

const char *ids_trace(const struct request *request)
{
        const struct header *header = request_only_header(request, "traceparent");

        return header && traceparent_valid(header) ? header->value + 3 : NULL;
}
