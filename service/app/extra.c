/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cap on an application's field names, and the JSON object that takes what is beyond it. Any
 * thread.
 */
#include "app/extra.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* FNV-1a: short, and good enough where a collision does no harm. */
static uint64_t hash_of(const char *name)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (; *name; name++)
                hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
        return hash != 0 ? hash : 1;
}

/*
 * Slots are only ever filled, in order, so whoever reads a free one knows that the name is in none
 * behind it.
 */
bool field_names_take(struct field_names *names, const char *name)
{
        uint64_t hash = hash_of(name);

        for (size_t i = 0; i < FIELD_NAMES_MAX; i++) {
                uint64_t found = 0;

                if (atomic_compare_exchange_strong(&names->hashes[i], &found, hash) ||
                    found == hash)
                        return true;
        }
        return false;
}

/* RFC 8259 7: a string. */
static void write_string(FILE *stream, const char *text, size_t size)
{
        (void)putc('"', stream);
        for (size_t i = 0; i < size;) {
                unsigned char byte = (unsigned char)text[i];
                size_t length = utf8_size(text + i, size - i);

                if (length == 0 || byte < ' ' || byte == 0x7f) {
                        (void)fprintf(stream, "\\u%04x", byte);
                        i++;
                        continue;
                }
                if (byte == '"' || byte == '\\')
                        (void)putc('\\', stream);
                (void)fwrite(text + i, 1, length, stream);
                i += length;
        }
        (void)putc('"', stream);
}

int extra_add(struct extra *extra, const char *name, const char *value, size_t size)
{
        bool first = !extra->stream;

        if (first)
                extra->stream = open_memstream(&extra->text, &extra->size);
        if (!extra->stream)
                return -ENOMEM;
        (void)fprintf(extra->stream, "%c\"%s\":", first ? '{' : ',', name);
        write_string(extra->stream, value, size);
        return ferror(extra->stream) ? -ENOMEM : 0;
}

int extra_finish(struct extra *extra)
{
        FILE *stream = extra->stream;
        bool failed;

        if (!stream)
                return 0;
        (void)putc('}', stream);
        failed = ferror(stream);
        extra->stream = NULL;
        return fclose(stream) != 0 || failed ? -ENOMEM : 0;
}

void extra_free(struct extra *extra)
{
        if (extra->stream)
                (void)fclose(extra->stream);
        free(extra->text);
}
