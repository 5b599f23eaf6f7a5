/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as headers behind any set of proxies: what is accepted is well-formed, and nobody left
 * of the client can change it.
 */
#include "request/forwarded.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MOST 16

static const struct header forged[] = {
        {"X-Forwarded-For", "203.0.113.99", 15, 12},
        {"Forwarded", "for=203.0.113.99;host=forged.example;proto=https", 9, 48},
};

static bool ended(const char *text, size_t size)
{
        return memchr(text, '\0', size) != NULL;
}

/* Return: whether there is a client, with its address. */
static bool client_of(const struct forwarded *forwarded, struct sockaddr_storage *ret)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

        *ret = (struct sockaddr_storage){.ss_family = AF_INET};
        if (forwarded->client[0] == '\0')
                return false;
        if (inet_pton(AF_INET, forwarded->client, &v4->sin_addr) == 1)
                return true;
        ret->ss_family = AF_INET6;
        assert(inet_pton(AF_INET6, forwarded->client, &v6->sin6_addr) == 1);
        assert(!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr));
        return true;
}

static void check_texts(const struct forwarded *forwarded)
{
        const char *scheme = forwarded->scheme, *host = forwarded->host;

        assert(ended(forwarded->client, sizeof(forwarded->client)));
        assert(ended(scheme, sizeof(forwarded->scheme)) && ended(host, sizeof(forwarded->host)));
        assert(!*scheme || strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
        assert(!*host || authority_valid(host, strlen(host)));
}

static bool has_only(const struct request *request, const char *name)
{
        for (size_t i = 0; i < request->n_headers; i++) {
                if (!header_is(&request->headers[i], name))
                        return false;
        }
        return true;
}

/* One more hop in front of all is what a client can add by itself. headers[0] is free for it. */
static void check_forging(struct request request, const struct address_set *trusted,
                          const struct forwarded *said, const struct header *hop)
{
        struct sockaddr_storage client;
        struct forwarded found;

        if (!client_of(said, &client) ||
            address_set_has(trusted, (const struct sockaddr *)&client) ||
            !has_only(&request, hop->name))
                return;
        request.headers--;
        request.n_headers++;
        request.headers[0] = *hop;
        if (forwarded_apply(&request, trusted, &found).status != 0)
                return;
        assert(strcmp(found.client, said->client) == 0);
        assert(strcmp(found.scheme, said->scheme) == 0);
        assert(strcmp(found.host, said->host) == 0);
}

static void check(const struct request *request, const struct address_set *trusted)
{
        struct forwarded forwarded, untouched;
        struct verdict verdict;

        memset(&untouched, 0x5a, sizeof(untouched));
        forwarded = untouched;
        verdict = forwarded_apply(request, trusted, &forwarded);
        assert(verdict.status == 0 || (verdict.status == 400 && verdict.reason));
        if (verdict.status != 0) {
                assert(memcmp(&forwarded, &untouched, sizeof(forwarded)) == 0);
                return;
        }
        check_texts(&forwarded);
        for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
                check_forging(*request, trusted, &forwarded, &forged[i]);
}

/* Cut the next line off. */
static char *next_line(char **cursor, char *end, size_t *ret_size)
{
        char *line = *cursor, *newline = memchr(line, '\n', (size_t)(end - line));

        *ret_size = (size_t)((newline ? newline : end) - line);
        *cursor = newline ? newline + 1 : end;
        line[*ret_size] = '\0';
        return line;
}

static struct header header_of(const char *line, size_t size)
{
        static const char *const names[] = {"X-Forwarded-For", "X-Forwarded-Proto",
                                            "X-Forwarded-Host", "Forwarded"};
        const char *name = names[size > 0 ? (unsigned char)line[0] % 4 : 0];

        return (struct header){.name = name,
                               .name_size = strlen(name),
                               .value = size > 0 ? line + 1 : line,
                               .value_size = size > 0 ? size - 1 : 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The set in the first line, then headers, whose first byte says which it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct header headers[1 + HEADERS_MOST];
        struct request request = {.headers = headers + 1};
        struct arena arena = {0};
        struct address_set trusted = {0};
        char *cursor = arena_copy(&arena, data, size), *end = cursor + size;
        size_t line_size;

        if (address_set_parse(next_line(&cursor, end, &line_size), &trusted) < 0)
                (void)address_set_parse("10.0.0.0/8,fd00::/8", &trusted);
        while (cursor < end && request.n_headers < HEADERS_MOST) {
                char *line = next_line(&cursor, end, &line_size);

                request.headers[request.n_headers++] = header_of(line, line_size);
        }
        check(&request, &trusted);
        arena_free(&arena);
        return 0;
}
