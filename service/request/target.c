/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request target taken apart: first the form, then escapes, then dot segments, each once. Loop
 * thread.
 */
#include "request/target.h"

#include <string.h>

#define ACCEPTED ((struct verdict){0})

/* What follows the authority of an absolute target. */
struct split {
        const char *authority; /* NULL: the target has none */
        size_t authority_size;
        const char *path;
        size_t path_size;
        const char *query;
};

static struct verdict refused(int status, const char *reason)
{
        return (struct verdict){.status = status, .reason = reason};
}

/* RFC 3986 2: a URI is printable ASCII; RFC 9112 3.2: a target has no fragment. */
static struct verdict check_bytes(const char *target, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (target[i] <= ' ' || target[i] > '~')
                        return refused(400, "byte in the target that is not printable ASCII");
                if (target[i] == '#')
                        return refused(400, "fragment in the target");
        }
        return ACCEPTED;
}

/* Bytes of "http://" or "https://" at the start, 0 for other schemes, which are not served here. */
static size_t scheme_size(const char *target, size_t size)
{
        static const char *const schemes[] = {"http://", "https://"};

        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
                size_t length = strlen(schemes[i]);

                if (size >= length && equal_ignoring_case(target, length, schemes[i]))
                        return length;
        }
        return 0;
}

/* RFC 9112 3.2.1 and 3.2.2: origin-form and absolute-form. */
static struct verdict split_target(const struct request *request, struct split *split)
{
        const char *start = request->target, *end = start + request->target_size;
        size_t scheme = scheme_size(start, request->target_size);

        if (scheme > 0) {
                split->authority = start + scheme;
                split->authority_size = strcspn(split->authority, "/?");
                if (!authority_valid(split->authority, split->authority_size))
                        return refused(400, "malformed authority in the target");
                start = split->authority + split->authority_size;
        } else if (*start != '/') {
                return refused(400, "target is neither a path nor an http URI");
        }

        split->path = start;
        split->path_size = strcspn(start, "?");
        split->query = start + split->path_size < end ? start + split->path_size + 1 : "";
        return ACCEPTED;
}

static int hex_value(char byte)
{
        if (byte >= '0' && byte <= '9')
                return byte - '0';
        if (byte >= 'a' && byte <= 'f')
                return byte - 'a' + 10;
        if (byte >= 'A' && byte <= 'F')
                return byte - 'A' + 10;
        return -1;
}

/* Decode escapes in place; NUL-terminated, so that an escape cut short meets the NUL. */
static struct verdict decode_escapes(char *path, size_t *size)
{
        size_t out = 0;

        for (size_t in = 0; in < *size; in++) {
                int high, low;

                if (path[in] != '%') {
                        path[out++] = path[in];
                        continue;
                }
                high = hex_value(path[in + 1]);
                low = high < 0 ? -1 : hex_value(path[in + 2]);
                if (low < 0)
                        return refused(400, "malformed escape in the path");
                if (high == 0 && low == 0)
                        return refused(400, "NUL in the path");
                path[out++] = (char)(high << 4 | low);
                in += 2;
        }
        path[out] = '\0';
        *size = out;
        return ACCEPTED;
}

/*
 * Remove "." and ".." segments in place. After decoding, so that no way of writing them is left:
 * what RFC 3986 would take as data (%2F) separates here as well, as in every file system. Return:
 * false when the path leaves the root.
 */
static bool remove_dot_segments(char *path, size_t *size)
{
        size_t out = 0, end;

        for (size_t in = 0; in < *size; in = end) {
                const char *segment = path + in + 1;
                const char *slash = memchr(segment, '/', *size - in - 1);
                size_t length;

                end = slash ? (size_t)(slash - path) : *size;
                length = end - in - 1;
                if (length == 2 && memcmp(segment, "..", 2) == 0) {
                        if (out == 0)
                                return false;
                        while (path[--out] != '/')
                                ;
                } else if (length != 1 || *segment != '.') {
                        memmove(path + out, path + in, end - in);
                        out += end - in;
                        continue;
                }
                if (end == *size) /* "/a/." is the folder "/a/" */
                        path[out++] = '/';
        }
        path[out] = '\0';
        *size = out;
        return true;
}

static struct verdict set_path(struct request *request, const struct split *split,
                               struct arena *arena)
{
        bool empty = split->path_size == 0; /* RFC 9110 4.2.3: http://host is http://host/ */
        size_t size = empty ? 1 : split->path_size;
        char *path = arena_copy(arena, empty ? "/" : split->path, size);
        struct verdict verdict;

        if (!path)
                return refused(500, "out of memory");
        verdict = decode_escapes(path, &size);
        if (verdict.status != 0)
                return verdict;
        if (!remove_dot_segments(path, &size))
                return refused(400, "path leaves the root");

        request->path = path;
        request->path_size = size;
        return ACCEPTED;
}

/* RFC 9112 3.2.2: the authority of an absolute target goes before Host. */
static struct verdict set_host(struct request *request, const struct split *split,
                               struct arena *arena)
{
        const struct header *host = request_header(request, "Host");

        request->host = host ? host->value : "";
        if (split->authority)
                request->host = arena_copy(arena, split->authority, split->authority_size);
        return request->host ? ACCEPTED : refused(500, "out of memory");
}

/* RFC 9112 3.2.4: "*" means the server as a whole, and only OPTIONS may mean that. */
static struct verdict whole_server(const struct request *request, struct split *split)
{
        if (strcmp(request->method, "OPTIONS") != 0)
                return refused(400, "target * is for OPTIONS only");
        *split = (struct split){.path = request->target, .path_size = 1, .query = ""};
        return ACCEPTED;
}

struct verdict target_parse(struct request *request, struct arena *arena)
{
        struct split split = {0};
        struct verdict verdict = check_bytes(request->target, request->target_size);

        if (verdict.status == 0 && strcmp(request->method, "CONNECT") == 0)
                verdict = refused(501, "CONNECT is not implemented");
        if (verdict.status == 0)
                verdict = strcmp(request->target, "*") == 0 ? whole_server(request, &split)
                                                            : split_target(request, &split);
        if (verdict.status == 0)
                verdict = set_path(request, &split, arena);
        if (verdict.status == 0)
                verdict = set_host(request, &split, arena);
        if (verdict.status != 0)
                return verdict;

        request->query = split.query;
        request->query_size = strlen(split.query);
        return ACCEPTED;
}

/* The next decoded byte of an argument; @cursor is moved behind what stood for it. */
static char next_argument_byte(const char **cursor, const char *end)
{
        const char *text = *cursor;
        int high = -1, low = -1;

        if (*text == '%' && end - text > 2) {
                high = hex_value(text[1]);
                low = hex_value(text[2]);
        }
        if (high >= 0 && low >= 0) {
                *cursor += 3;
                return (char)(high << 4 | low);
        }
        *cursor += 1;
        if (*text == '+')
                return ' ';
        return *text;
}

static bool argument_is(const char *text, const char *end, const char *name)
{
        while (text < end && *name) {
                if (next_argument_byte(&text, end) != *name++)
                        return false;
        }
        return text == end && !*name;
}

static const char *decode_argument(const char *text, const char *end, struct arena *arena,
                                   size_t *ret_size)
{
        char *value = arena_alloc(arena, (size_t)(end - text) + 1);
        size_t size = 0;

        if (!value)
                return NULL;
        while (text < end)
                value[size++] = next_argument_byte(&text, end);
        *ret_size = size;
        return value;
}

const char *query_argument(const struct request *request, struct arena *arena, const char *name,
                           size_t *ret_size)
{
        const char *text = request->query, *end = text + request->query_size;

        while (text < end) {
                const char *ampersand = memchr(text, '&', (size_t)(end - text));
                const char *argument_end = ampersand ? ampersand : end;
                const char *equals = memchr(text, '=', (size_t)(argument_end - text));
                const char *name_end = equals ? equals : argument_end;

                if (name_end > text && argument_is(text, name_end, name))
                        return decode_argument(equals ? equals + 1 : argument_end, argument_end,
                                               arena, ret_size);
                text = argument_end + 1;
        }
        return NULL;
}
