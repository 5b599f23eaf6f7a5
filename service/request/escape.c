/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escapes of URIs and of HTML, byte by byte. Any thread. */
#include "request/escape.h"

#include <stdbool.h>
#include <string.h>

/* Letters and digits of ASCII, whatever the locale. */
static bool stands_for_itself(char byte)
{
        return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
               (byte >= '0' && byte <= '9') || strchr("-._~/", byte);
}

void escape_path(FILE *stream, const char *text)
{
        for (; *text; text++) {
                if (stands_for_itself(*text))
                        (void)fputc(*text, stream);
                else
                        (void)fprintf(stream, "%%%02X", (unsigned)(unsigned char)*text);
        }
}

void escape_html(FILE *stream, const char *text)
{
        for (; *text; text++) {
                if (strchr("&<>\"'", *text))
                        (void)fprintf(stream, "&#%u;", (unsigned)(unsigned char)*text);
                else
                        (void)fputc(*text, stream);
        }
}
