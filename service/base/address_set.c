/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Peers told apart by the first bits of their addresses. Any thread. */
#include "base/address_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define BLANKS       " \t"
#define MAPPED_BITS  96
#define ADDRESS_BITS 128

static struct in6_addr mapped(const struct in_addr *address)
{
        struct in6_addr whole = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

        memcpy(&whole.s6_addr[MAPPED_BITS / 8], address, sizeof(*address));
        return whole;
}

bool address_parse(const char *text, size_t size, int family, struct in6_addr *ret)
{
        char copy[INET6_ADDRSTRLEN];
        struct in6_addr v6;
        struct in_addr v4;

        if (size >= sizeof(copy) || memchr(text, '\0', size))
                return false;
        memcpy(copy, text, size);
        copy[size] = '\0';
        if (inet_pton(family, copy, family == AF_INET ? (void *)&v4 : (void *)&v6) != 1)
                return false;
        *ret = family == AF_INET ? mapped(&v4) : v6;
        return true;
}

/* Decimal digits, at most @most, no leading zero: "08" is no number to some and 8 to others. */
static bool parse_bits(const char *text, size_t size, unsigned most, unsigned *ret)
{
        unsigned bits = 0;

        if (size == 0 || size > 3 || (size > 1 && text[0] == '0'))
                return false;
        for (size_t i = 0; i < size; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                bits = bits * 10 + (unsigned)(text[i] - '0');
        }
        *ret = bits;
        return bits <= most;
}

/* Whether two addresses are the same in their first bits. */
static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
        unsigned whole = bits / 8, rest = bits % 8;

        if (memcmp(a, b, whole) != 0)
                return false;
        return rest == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest) == 0;
}

/* A bit behind the prefix is a typing error whose other half nobody can guess. */
static bool no_bits_behind(const struct in6_addr *address, unsigned bits)
{
        for (unsigned i = bits; i < ADDRESS_BITS; i++) {
                if (address->s6_addr[i / 8] & 0x80U >> i % 8)
                        return false;
        }
        return true;
}

static bool parse_network(const char *text, size_t size, struct address_network *ret)
{
        const char *slash = memchr(text, '/', size);
        size_t address_size = slash ? (size_t)(slash - text) : size;
        unsigned most = ADDRESS_BITS, bits;

        if (address_parse(text, address_size, AF_INET, &ret->address))
                most = ADDRESS_BITS - MAPPED_BITS;
        else if (!address_parse(text, address_size, AF_INET6, &ret->address))
                return false;
        bits = most;
        if (slash && !parse_bits(slash + 1, size - address_size - 1, most, &bits))
                return false;
        ret->bits = ADDRESS_BITS - most + bits;
        return no_bits_behind(&ret->address, ret->bits);
}

static bool add_member(struct address_set *set, const char *text, size_t size)
{
        if (size == 1 && *text == '*')
                set->anybody = true;
        else if (size == 4 && memcmp(text, "unix", 4) == 0)
                set->unix_peers = true;
        else if (set->n_networks == ADDRESS_SET_MAX ||
                 !parse_network(text, size, &set->networks[set->n_networks]))
                return false;
        else
                set->n_networks++;
        return true;
}

int address_set_parse(const char *text, struct address_set *ret)
{
        struct address_set set = {0};

        text += strspn(text, BLANKS);
        while (*text) {
                size_t size = strcspn(text, "," BLANKS);
                const char *next = text + size + strspn(text + size, BLANKS);

                if ((*next && *next != ',') || !add_member(&set, text, size))
                        return -EINVAL;
                if (!*next)
                        break;
                text = next + 1 + strspn(next + 1, BLANKS);
                if (!*text)
                        return -EINVAL;
        }
        *ret = set;
        return 0;
}

/* No network of IPv6 has IPv4 addresses, not even ::/0: who wrote that did not think of them. */
static bool network_has(const struct address_network *network, const struct in6_addr *address)
{
        bool is_4 = IN6_IS_ADDR_V4MAPPED(address);
        bool of_4 = IN6_IS_ADDR_V4MAPPED(&network->address);

        return is_4 == of_4 && same_prefix(&network->address, address, network->bits);
}

bool address_set_has(const struct address_set *set, const struct sockaddr *peer)
{
        struct in6_addr address;

        if (set->anybody)
                return true;
        if (peer->sa_family == AF_UNIX)
                return set->unix_peers;
        if (peer->sa_family == AF_INET)
                address = mapped(&((const struct sockaddr_in *)peer)->sin_addr);
        else if (peer->sa_family == AF_INET6)
                address = ((const struct sockaddr_in6 *)peer)->sin6_addr;
        else
                return false;

        for (size_t i = 0; i < set->n_networks; i++) {
                if (network_has(&set->networks[i], &address))
                        return true;
        }
        return false;
}
