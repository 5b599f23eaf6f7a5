/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes at the beginning of a connection: however they are cut, there is one answer, and it
 * comes with the last byte that it needs.
 */
#include "request/proxy.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* In memory of exactly their size, so that reading behind them is seen. */
static int parse(const uint8_t *data, size_t size, struct proxy_header *ret)
{
        uint8_t *copy = malloc(size ? size : 1);
        int r;

        assert(copy);
        memcpy(copy, data, size);
        r = proxy_parse(copy, size, ret);
        free(copy);
        return r;
}

static socklen_t size_of_family(sa_family_t family)
{
        if (family == AF_INET)
                return sizeof(struct sockaddr_in);
        if (family == AF_INET6)
                return sizeof(struct sockaddr_in6);
        return family == AF_UNIX ? sizeof(struct sockaddr_un) : 0;
}

static void check_header(const struct proxy_header *header)
{
        assert(header->has_addresses == (header->source.ss_family != AF_UNSPEC));
        assert(header->source.ss_family == header->destination.ss_family);
        assert(header->source_size == header->destination_size);
        assert(header->source_size == size_of_family(header->source.ss_family));
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b)
{
        assert(a->has_addresses == b->has_addresses);
        assert(a->source_size == b->source_size && a->destination_size == b->destination_size);
        assert(memcmp(&a->source, &b->source, a->source_size) == 0);
        assert(memcmp(&a->destination, &b->destination, a->destination_size) == 0);
}

/* What the first @cut bytes give, measured by what all of them give. */
static void check_cut(const uint8_t *data, size_t cut, int whole, const struct proxy_header *header)
{
        struct proxy_header found, untouched;
        int r;

        memset(&untouched, 0x5a, sizeof(untouched));
        found = untouched;
        r = parse(data, cut, &found);
        if (whole > 0)
                assert(r == (cut < (size_t)whole ? 0 : whole));
        else
                assert(r == 0 || (r == -EBADMSG && whole == -EBADMSG));
        if (r > 0)
                check_same(&found, header);
        else
                assert(memcmp(&found, &untouched, sizeof(found)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct proxy_header header;
        int r;

        r = parse(data, size, &header);
        assert(r <= (int)size && r <= PROXY_HEADER_MAX && (r >= 0 || r == -EBADMSG));
        assert(r != 0 || size < PROXY_HEADER_MAX);
        if (r > 0)
                check_header(&header);
        for (size_t cut = 0; cut < size; cut += cut < 512 ? 1 : 97)
                check_cut(data, cut, r, &header);
        return 0;
}
