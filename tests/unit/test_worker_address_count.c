/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections of each address: what counts as one, and that nothing is left of those that went. */
#include "worker/address_count.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

enum { MANY = 5000 };

static unsigned enter(struct address_counts *counts, const char *text, struct address_count **ret)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
                return address_counts_enter(counts, (struct sockaddr *)&v4, ret);
        assert(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
        return address_counts_enter(counts, (struct sockaddr *)&v6, ret);
}

static void expect_empty(const struct address_counts *counts)
{
        for (unsigned i = 0; i < ADDRESS_COUNT_BUCKETS; i++)
                assert(!counts->buckets[i]);
}

static void test_addresses_are_counted_apart(void)
{
        struct address_counts counts;
        struct address_count *of[6];

        address_counts_init(&counts, 7);
        assert(enter(&counts, "192.0.2.1", &of[0]) == 1);
        assert(enter(&counts, "192.0.2.2", &of[1]) == 1);
        assert(enter(&counts, "192.0.2.1", &of[2]) == 2);
        assert(enter(&counts, "::ffff:192.0.2.1", &of[3]) == 3); /* the same, mapped */
        address_counts_leave(&counts, of[0]);
        address_counts_leave(&counts, of[2]);
        assert(enter(&counts, "192.0.2.1", &of[4]) == 2);
        assert(enter(&counts, "::ffff:192.0.2.2", &of[5]) == 2);
        for (int i = 0; i < 6; i++)
                if (i != 0 && i != 2)
                        address_counts_leave(&counts, of[i]);
        expect_empty(&counts);
}

static void test_a_network_of_64_bits_is_one_client(void)
{
        struct address_counts counts;
        struct address_count *of[3];

        address_counts_init(&counts, 7);
        assert(enter(&counts, "2001:db8:0:1::1", &of[0]) == 1);
        assert(enter(&counts, "2001:db8:0:1:ffff::2", &of[1]) == 2);
        assert(enter(&counts, "2001:db8:0:2::1", &of[2]) == 1);
        for (int i = 0; i < 3; i++)
                address_counts_leave(&counts, of[i]);
        expect_empty(&counts);
}

static void test_neighbours_are_not_counted(void)
{
        const struct sockaddr_un neighbour = {.sun_family = AF_UNIX};
        struct address_counts counts;
        struct address_count *count;

        address_counts_init(&counts, 7);
        assert(address_counts_enter(&counts, (const struct sockaddr *)&neighbour, &count) == 0);
        assert(!count);
        address_counts_leave(&counts, count);
        expect_empty(&counts);
}

static void test_many_addresses(void)
{
        static struct address_count *of[MANY];
        struct address_counts counts;

        address_counts_init(&counts, 7);
        for (unsigned i = 0; i < MANY; i++) {
                struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(i * 256)};

                assert(address_counts_enter(&counts, (struct sockaddr *)&v4, &of[i]) == 1);
        }
        for (unsigned i = 0; i < MANY; i += 2)
                address_counts_leave(&counts, of[i]);
        for (unsigned i = 1; i < MANY; i += 2)
                address_counts_leave(&counts, of[i]);
        expect_empty(&counts);
}

int main(void)
{
        test_addresses_are_counted_apart();
        test_a_network_of_64_bits_is_one_client();
        test_neighbours_are_not_counted();
        test_many_addresses();
        return EXIT_SUCCESS;
}
