/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hash table with chains; IPv4 addresses are kept as mapped ones. */
#include "worker/address_count.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of an IPv6 address. */
#define NETWORK_SIZE 8

struct key {
        uint64_t halves[2];
};

struct address_count {
        struct address_count *next;
        struct key key;
        unsigned n;
};

void address_counts_init(struct address_counts *counts, uint64_t seed)
{
        *counts = (struct address_counts){.seed = seed};
}

static bool key_of(const struct sockaddr *address, struct key *ret)
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        struct in6_addr key = IN6ADDR_ANY_INIT;

        if (address->sa_family == AF_INET) {
                key.s6_addr[10] = key.s6_addr[11] = 0xff;
                memcpy(&key.s6_addr[12], &v4->sin_addr, sizeof(v4->sin_addr));
        } else if (address->sa_family == AF_INET6) {
                memcpy(&key, &v6->sin6_addr,
                       IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? sizeof(key) : NETWORK_SIZE);
        } else {
                return false;
        }
        memcpy(ret, &key, sizeof(*ret));
        return true;
}

/* The finaliser of splitmix64, over both halves. */
static struct address_count **bucket_of(struct address_counts *counts, const struct key *key)
{
        uint64_t hash = counts->seed;

        for (int i = 0; i < 2; i++) {
                hash ^= key->halves[i];
                hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
                hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
                hash ^= hash >> 31;
        }
        return &counts->buckets[hash % ADDRESS_COUNT_BUCKETS];
}

unsigned address_counts_enter(struct address_counts *counts, const struct sockaddr *address,
                              struct address_count **ret)
{
        struct address_count **bucket, *count;
        struct key key;

        *ret = NULL;
        if (!key_of(address, &key))
                return 0;
        bucket = bucket_of(counts, &key);
        for (count = *bucket; count; count = count->next)
                if (memcmp(&count->key, &key, sizeof(key)) == 0)
                        break;
        if (!count) {
                count = calloc(1, sizeof(*count));
                if (!count)
                        return 0;
                count->key = key;
                count->next = *bucket;
                *bucket = count;
        }
        *ret = count;
        return ++count->n;
}

void address_counts_leave(struct address_counts *counts, struct address_count *count)
{
        struct address_count **link;

        if (!count || --count->n > 0)
                return;
        link = bucket_of(counts, &count->key);
        while (*link != count)
                link = &(*link)->next;
        *link = count->next;
        free(count);
}
