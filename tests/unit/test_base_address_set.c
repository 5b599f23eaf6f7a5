/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/address_set.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool set_has(const struct address_set *set, const char *peer)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
        struct sockaddr_un local = {.sun_family = AF_UNIX};

        if (inet_pton(AF_INET, peer, &v4.sin_addr) == 1)
                return address_set_has(set, (const struct sockaddr *)&v4);
        if (inet_pton(AF_INET6, peer, &v6.sin6_addr) == 1)
                return address_set_has(set, (const struct sockaddr *)&v6);
        assert(strcmp(peer, "unix") == 0);
        return address_set_has(set, (const struct sockaddr *)&local);
}

static bool has(const char *text, const char *peer)
{
        struct address_set set;

        assert(address_set_parse(text, &set) == 0);
        return set_has(&set, peer);
}

static bool refused(const char *text)
{
        struct address_set set, before;
        int r;

        memset(&set, 0x5a, sizeof(set));
        before = set;
        r = address_set_parse(text, &set);
        assert(r == 0 || (r == -EINVAL && memcmp(&set, &before, sizeof(set)) == 0));
        return r < 0;
}

static void test_no_text_is_nobody(void)
{
        assert(!has("", "127.0.0.1"));
        assert(!has("", "::1"));
        assert(!has("", "unix"));
        assert(!has(" \t", "0.0.0.0"));
        assert(!has(" ", "::"));
}

static void test_address_is_itself_alone(void)
{
        assert(has("127.0.0.1", "127.0.0.1"));
        assert(!has("127.0.0.1", "127.0.0.2"));
        assert(!has("127.0.0.1", "126.0.0.1"));
        assert(!has("127.0.0.1", "::1"));
        assert(has("2001:db8::1", "2001:db8:0::1"));
        assert(!has("2001:db8::1", "2001:db8::"));
        assert(!has("2001:db8::1", "unix"));
}

static void test_network_has_what_begins_with_its_prefix(void)
{
        assert(has("10.0.0.0/8", "10.255.0.1"));
        assert(!has("10.0.0.0/8", "11.0.0.0"));
        assert(has("10.1.2.128/25", "10.1.2.128"));
        assert(has("10.1.2.128/25", "10.1.2.255"));
        assert(!has("10.1.2.128/25", "10.1.2.127"));
        assert(has("10.1.2.3/32", "10.1.2.3"));
        assert(!has("10.1.2.3/32", "10.1.2.2"));
        assert(has("0.0.0.0/0", "255.1.2.3"));
        assert(has("2001:db8::/33", "2001:db8:7fff::1"));
        assert(!has("2001:db8::/33", "2001:db8:8000::1"));
        assert(has("::1/128", "::1"));
        assert(has("::/0", "2001:db8::1"));
}

static void test_families_are_apart(void)
{
        assert(!has("0.0.0.0/0", "2001:db8::1"));
        assert(!has("0.0.0.0/0", "::"));
        assert(!has("::/0", "127.0.0.1"));
        assert(!has("::/0", "::ffff:127.0.0.1"));
        assert(!has("::/0,0.0.0.0/0", "unix"));
        assert(!has("unix", "127.0.0.1"));
        assert(!has("unix", "::1"));
}

static void test_mapped_address_is_ipv4(void)
{
        assert(has("127.0.0.1", "::ffff:127.0.0.1"));
        assert(has("10.0.0.0/8", "::ffff:10.2.3.4"));
        assert(!has("10.0.0.0/8", "::ffff:11.2.3.4"));
        assert(has("::ffff:127.0.0.1", "127.0.0.1"));
        assert(has("::ffff:10.0.0.0/104", "10.2.3.4"));
        assert(!has("127.0.0.1", "::127.0.0.1"));
}

static void test_unix_and_anybody(void)
{
        struct sockaddr unknown = {.sa_family = AF_UNSPEC};
        struct address_set set;

        assert(has("unix", "unix"));
        assert(has("*", "unix"));
        assert(has("*", "192.0.2.1"));
        assert(has("*", "2001:db8::1"));
        assert(address_set_parse("unix,0.0.0.0/0,::/0", &set) == 0);
        assert(!address_set_has(&set, &unknown));
        assert(address_set_parse("*", &set) == 0);
        assert(address_set_has(&set, &unknown));
}

static void test_members_are_listed_with_or_without_blanks(void)
{
        struct address_set set;

        assert(address_set_parse(" 127.0.0.1,  ::1 ,\t10.0.0.0/8 , unix ", &set) == 0);
        assert(set_has(&set, "127.0.0.1"));
        assert(set_has(&set, "::1"));
        assert(set_has(&set, "10.9.9.9"));
        assert(set_has(&set, "unix"));
        assert(!set_has(&set, "192.0.2.1"));
}

static void test_other_texts_are_refused(void)
{
        static const char *const texts[] = {
                ",",
                "127.0.0.1,",
                ",127.0.0.1",
                "127.0.0.1,,::1",
                "127.0.0.1, ",
                "127.0.0.1 ::1",
                "127.0.0",
                "127.0.0.01",
                "127.0.0.256",
                "127.0.0.1:80",
                "[::1]",
                "::1%lo",
                "::g",
                "localhost",
                "Unix",
                "unix:",
                "**",
                "*/0",
                "/8",
                "10.0.0.0/",
                "10.0.0.0/33",
                "10.0.0.0/08",
                "10.0.0.0/:",
                "10.0.0.0/1/",
                "10.0.0.0/+8",
                "10.0.0.0/-1",
                "10.0.0.0/8/8",
                "10.0.0.0/4294967304",
                "10.0.0.0/255.0.0.0",
                "10.0.0.0 /8",
                "::/129",
                "::/1000",
                "1111:1111:1111:1111:1111:1111:111.111.111.1111",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert(refused(texts[i]));
}

static void test_bits_behind_the_prefix_are_refused(void)
{
        assert(refused("10.0.0.1/8"));
        assert(refused("10.1.2.128/24"));
        assert(!refused("10.1.2.128/25"));
        assert(refused("0.0.0.1/0"));
        assert(refused("2001:db8::1/64"));
        assert(refused("2001:db8:8000::/32"));
        assert(!refused("2001:db8:8000::/33"));
        assert(refused("::ffff:0.0.0.0/95"));
        assert(!refused("::ffff:0.0.0.0/96"));
}

static void test_set_is_bounded(void)
{
        char text[(ADDRESS_SET_MAX + 1) * sizeof("10.0.0.64,")] = "";
        size_t at = 0;

        for (int i = 0; i < ADDRESS_SET_MAX; i++)
                at += (size_t)snprintf(text + at, sizeof(text) - at, "10.0.0.%d,", i);
        text[at - 1] = '\0';
        assert(has(text, "10.0.0.0"));
        assert(has(text, "10.0.0.63"));
        (void)snprintf(text + at - 1, sizeof(text) - at + 1, ",10.0.0.64");
        assert(refused(text));
}

static void test_address_of_one_family(void)
{
        struct in6_addr address;

        assert(address_parse("127.0.0.1!", 9, AF_INET, &address));
        assert(IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
        assert(address_parse("::1", 3, AF_INET6, &address));
        assert(IN6_IS_ADDR_LOOPBACK(&address));
        assert(!address_parse("127.0.0.1", 9, AF_INET6, &address));
        assert(!address_parse("::1", 3, AF_INET, &address));
        assert(!address_parse("::1\0", 4, AF_INET6, &address));
        assert(!address_parse("", 0, AF_INET6, &address));
        assert(IN6_IS_ADDR_LOOPBACK(&address)); /* untouched on failure */
}

int main(void)
{
        test_no_text_is_nobody();
        test_address_is_itself_alone();
        test_network_has_what_begins_with_its_prefix();
        test_families_are_apart();
        test_mapped_address_is_ipv4();
        test_unix_and_anybody();
        test_members_are_listed_with_or_without_blanks();
        test_other_texts_are_refused();
        test_bits_behind_the_prefix_are_refused();
        test_set_is_bounded();
        test_address_of_one_family();
        return 0;
}
