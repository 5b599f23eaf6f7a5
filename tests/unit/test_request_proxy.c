/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4                                                                                         \
        "\xc0\x00\x02\x01\xc6\x33\x64\x02\x10\x00\x01\xbb" /* 192.0.2.1:4096, 198.51.100.2:443     \
                                                            */

/* Bytes in memory of exactly their size, so that a sanitizer sees who reads behind them. */
static int parse(const void *data, size_t size, struct proxy_header *ret)
{
        void *copy = malloc(size ? size : 1);
        int r;

        assert(copy);
        memcpy(copy, data, size);
        r = proxy_parse(copy, size, ret);
        free(copy);
        return r;
}

/* The verdict, with the header untouched unless there is one. */
static int verdict(const void *data, size_t size)
{
        struct proxy_header header, before;
        int r;

        memset(&header, 0x5a, sizeof(header));
        before = header;
        r = parse(data, size, &header);
        assert((memcmp(&header, &before, sizeof(header)) == 0) == (r <= 0));
        return r;
}

/* A whole header: every beginning of it is incomplete, what follows it does not matter. */
static struct proxy_header whole(const void *data, size_t size)
{
        struct proxy_header header;
        char longer[PROXY_HEADER_MAX + 2];

        for (size_t i = 0; i < size; i++)
                assert(verdict(data, i) == 0);
        assert(parse(data, size, &header) == (int)size);
        memcpy(longer, data, size);
        memcpy(longer + size, "\r\n", 2);
        assert(verdict(longer, size + 2) == (int)size);
        return header;
}

static struct proxy_header line(const char *text)
{
        return whole(text, strlen(text));
}

/* No header, and known to be none as soon as @size bytes are there. */
static bool none_from(const void *data, size_t size)
{
        return verdict(data, size - 1) == 0 && verdict(data, size) == -EBADMSG;
}

/* A line is refused in the end, and what is refused once is so with more bytes, too. */
static bool refused_line(const char *text)
{
        bool before = false;

        for (size_t i = 0; i <= strlen(text); i++) {
                bool now = verdict(text, i) == -EBADMSG;

                assert(verdict(text, i) <= 0);
                assert(now || !before);
                before = now;
        }
        return before;
}

static bool is_4(const struct sockaddr_storage *address, socklen_t size, const char *text, int port)
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        char found[INET_ADDRSTRLEN];

        assert(inet_ntop(AF_INET, &v4->sin_addr, found, sizeof(found)));
        return address->ss_family == AF_INET && size == sizeof(*v4) && strcmp(found, text) == 0 &&
               ntohs(v4->sin_port) == port;
}

static bool is_6(const struct sockaddr_storage *address, socklen_t size, const char *text, int port)
{
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        char found[INET6_ADDRSTRLEN];

        assert(inet_ntop(AF_INET6, &v6->sin6_addr, found, sizeof(found)));
        return address->ss_family == AF_INET6 && size == sizeof(*v6) && strcmp(found, text) == 0 &&
               ntohs(v6->sin6_port) == port && v6->sin6_flowinfo == 0 && v6->sin6_scope_id == 0;
}

static void test_tcp4_line(void)
{
        struct proxy_header header = line("PROXY TCP4 192.0.2.1 198.51.100.2 4096 443\r\n");

        assert(header.has_addresses);
        assert(is_4(&header.source, header.source_size, "192.0.2.1", 4096));
        assert(is_4(&header.destination, header.destination_size, "198.51.100.2", 443));
        header = line("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n");
        assert(is_4(&header.source, header.source_size, "0.0.0.0", 0));
        assert(is_4(&header.destination, header.destination_size, "255.255.255.255", 65535));
}

static void test_tcp6_line(void)
{
        static const char *const longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        char text[128];
        struct proxy_header header = line("PROXY TCP6 2001:db8::1 ::1 1 2\r\n");

        assert(header.has_addresses);
        assert(is_6(&header.source, header.source_size, "2001:db8::1", 1));
        assert(is_6(&header.destination, header.destination_size, "::1", 2));
        (void)snprintf(text, sizeof(text), "PROXY TCP6 %s %s 65535 65535\r\n", longest, longest);
        header = line(text);
        assert(is_6(&header.destination, header.destination_size, longest, 65535));
        (void)line("PROXY TCP6 :: 1:2:3:4:5:6:7:: 1 2\r\n");
        (void)line("PROXY TCP6 ::ffff:1.2.3.4 1:2:3:4:5:6:255.255.255.255 1 2\r\n");
        (void)line("PROXY TCP6 1::2:3:4:5:6:7 FE80::A:0 1 2\r\n");
}

static void test_unknown_line_has_no_address_whatever_follows(void)
{
        assert(!line("PROXY UNKNOWN\r\n").has_addresses);
        assert(!line("PROXY UNKNOWN \r\n").has_addresses);
        assert(!line("PROXY UNKNOWN TCP4 1.1.1.1 x  y\n\x01\r\n").has_addresses);
        assert(!whole("PROXY UNKNOWN \0\r\n", 17).has_addresses);
        assert(refused_line("PROXY UNKNOWNS\r\n"));
        assert(refused_line("PROXY UNKNOWN a\rb\r\n"));
}

static void test_line_of_more_than_107_bytes_is_none(void)
{
        char text[109] = "PROXY UNKNOWN ";

        memset(text + 14, 'x', sizeof(text) - 14);
        memcpy(text + 105, "\r\n", 2);
        assert(whole(text, 107).has_addresses == false);
        memcpy(text + 105, "x\r\n", 3);
        assert(none_from(text, 106));
}

static void test_line_is_refused_where_it_goes_wrong(void)
{
        assert(none_from("X", 1));
        assert(none_from("GET", 1));
        assert(none_from("PUT", 2));
        assert(none_from("PROXy", 5));
        assert(none_from("PROXY\r", 6));
        assert(none_from("PROXY\t", 6));
        assert(none_from("PROXY  ", 7));
        assert(none_from("PROXY UDP4", 7 + 1));
        assert(none_from("PROXY TCP5", 10));
        assert(none_from("PROXY TCP4\r", 11));
        assert(none_from("PROXY TCP4  ", 12));
        assert(none_from("PROXY TCP4 :", 12));
        assert(none_from("PROXY TCP4 256", 14));
        assert(none_from("PROXY TCP4 01", 13));
        assert(none_from("PROXY TCP4 1.2.3.4.", 19));
        assert(none_from("PROXY TCP4 1.2.3 ", 17));
        assert(none_from("PROXY TCP4 1.2.3.4\r", 19));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 70000", 32));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 01", 29));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 1/", 29));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 1:", 29));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ", 31));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx", 32));
        assert(none_from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", 31));
        assert(none_from("PROXY TCP6 1.", 13));
        assert(none_from("PROXY TCP6 12345", 16));
        assert(none_from("PROXY TCP6 1::2::", 17));
        assert(none_from("PROXY TCP6 1:2:3:4:5:6:7:8:", 27));
        assert(none_from("PROXY TCP6 ::1%", 15));
        assert(none_from("PROXY TCP4 1\0", 13));
}

static void test_line_with_missing_or_foreign_words_is_none(void)
{
        assert(refused_line("PROXY \r\n"));
        assert(refused_line("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"));
        assert(refused_line("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"));
        assert(refused_line("PROXY TCP4 \r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 \r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"));
        assert(refused_line("PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n"));
        assert(refused_line("PROXY TCP4 ::1 ::1 1 2\r\n"));
        assert(refused_line("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"));
        assert(refused_line("PROXY TCP6 [::1] ::1 1 2\r\n"));
}

static void test_binary_over_ipv4(void)
{
        struct proxy_header header = whole(SIGNATURE "\x21\x11\x00\x0c" V4, 28);

        assert(header.has_addresses);
        assert(is_4(&header.source, header.source_size, "192.0.2.1", 4096));
        assert(is_4(&header.destination, header.destination_size, "198.51.100.2", 443));
}

static void test_binary_over_ipv6(void)
{
        unsigned char data[16 + 36] = SIGNATURE "\x21\x21\x00\x24";
        struct proxy_header header;

        data[16] = 0x20;
        data[31] = 1;
        data[47] = 2;
        data[49] = 80;
        data[50] = 1;
        header = whole(data, sizeof(data));
        assert(header.has_addresses);
        assert(is_6(&header.source, header.source_size, "2000::1", 80));
        assert(is_6(&header.destination, header.destination_size, "::2", 256));
}

static void test_binary_over_unix(void)
{
        unsigned char data[16 + 216] = SIGNATURE "\x21\x31\x00\xd8";
        struct proxy_header header;
        const struct sockaddr_un *source = (const struct sockaddr_un *)&header.source;
        const struct sockaddr_un *destination = (const struct sockaddr_un *)&header.destination;

        memcpy(data + 16, "/run/a", 6);
        memset(data + 124, 'b', 108);
        header = whole(data, sizeof(data));
        assert(header.has_addresses);
        assert(source->sun_family == AF_UNIX && strcmp(source->sun_path, "/run/a") == 0);
        assert(destination->sun_family == AF_UNIX);
        assert(memcmp(destination->sun_path, data + 124, 108) == 0);
        assert(header.source_size == sizeof(*source));
        assert(header.destination_size == sizeof(*source));
}

static void test_binary_without_addresses(void)
{
        assert(!whole(SIGNATURE "\x21\x00\x00\x00", 16).has_addresses);
        assert(!whole(SIGNATURE "\x21\x00\x00\x04\x04\x00\x01x", 20).has_addresses);
        assert(!whole(SIGNATURE "\x20\x00\x00\x00", 16).has_addresses);
}

static void test_binary_local_has_any_block_discarded(void)
{
        assert(!whole(SIGNATURE "\x20\x11\x00\x0c" V4, 28).has_addresses);
        assert(!whole(SIGNATURE "\x20\x12\x00\x00", 16).has_addresses);
        assert(!whole(SIGNATURE "\x20\xff\x00\x03\xff\xff\xff", 19).has_addresses);
}

static void test_binary_is_refused_where_it_goes_wrong(void)
{
        assert(none_from("\r\r", 2));
        assert(none_from("\r\n\r\n\0\r\nQUIT\r", 12));
        assert(none_from(SIGNATURE "\x11", 13)); /* version 1 */
        assert(none_from(SIGNATURE "\x31", 13));
        assert(none_from(SIGNATURE "\x22", 13));     /* neither LOCAL nor PROXY */
        assert(none_from(SIGNATURE "\x21\x12", 14)); /* datagrams */
        assert(none_from(SIGNATURE "\x21\x22", 14));
        assert(none_from(SIGNATURE "\x21\x32", 14));
        assert(none_from(SIGNATURE "\x21\x01", 14)); /* unspecified combinations */
        assert(none_from(SIGNATURE "\x21\x10", 14));
        assert(none_from(SIGNATURE "\x21\x41", 14));
        assert(none_from(SIGNATURE "\x21\x11\x00\x0b", 16)); /* addresses do not fit */
        assert(none_from(SIGNATURE "\x21\x21\x00\x23", 16));
        assert(none_from(SIGNATURE "\x21\x31\x00\xd7", 16));
}

static void test_binary_longer_than_the_limit_is_none(void)
{
        unsigned char data[PROXY_HEADER_MAX] = SIGNATURE "\x21\x00\x0f\xf0\x04\x0f\xed";

        assert(!whole(data, sizeof(data)).has_addresses);
        assert(none_from(SIGNATURE "\x21\x00\x0f\xf1", 16));
        assert(none_from(SIGNATURE "\x20\x00\x0f\xf1", 16));
        assert(none_from(SIGNATURE "\x21\x00\x10", 15));
}

static void test_extras_stay_within_the_header(void)
{
        assert(whole(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x00", 31).has_addresses);
        assert(whole(SIGNATURE "\x21\x11\x00\x14" V4 "\x04\x00\x02xy\xe0\x00\x00", 36)
                       .has_addresses);
        assert(none_from(SIGNATURE "\x21\x11\x00\x0d" V4, 16)); /* one byte is no TLV */
        assert(none_from(SIGNATURE "\x21\x11\x00\x0e" V4, 16));
        assert(none_from(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x01", 31));
        assert(none_from(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\xff\xff", 31));
        assert(none_from(SIGNATURE "\x21\x11\x00\x11" V4 "\x04\x00\x00\x04\x00", 31));
        assert(none_from(SIGNATURE "\x21\x00\x00\x03\x04\x00\x01", 19));
}

/* The sum is that of another implementation. */
static void test_checksum_must_be_right(void)
{
        static const char right[] =
                SIGNATURE "\x21\x11\x00\x17" V4 "\x03\x00\x04\xb0\x11\xc6\x87\x04\x00\x01x";
        size_t size = sizeof(right) - 1, type_at = 28;

        assert(whole(right, size).has_addresses);
        for (size_t i = 16; i < size; i++) {
                char wrong[sizeof(right)];

                memcpy(wrong, right, size);
                wrong[i] ^= 1;
                assert(verdict(wrong, size) == (i == type_at ? (int)size : -EBADMSG));
        }
}

static void test_checksum_has_four_bytes_and_comes_once(void)
{
        assert(none_from(SIGNATURE "\x21\x00\x00\x06\x03\x00\x03", 19));
        assert(none_from(SIGNATURE "\x21\x00\x00\x08\x03\x00\x05", 19));
        assert(none_from(SIGNATURE "\x21\x00\x00\x0e\x03\x00\x04zzzz\x03\x00\x04", 26));
}

int main(void)
{
        test_tcp4_line();
        test_tcp6_line();
        test_unknown_line_has_no_address_whatever_follows();
        test_line_of_more_than_107_bytes_is_none();
        test_line_is_refused_where_it_goes_wrong();
        test_line_with_missing_or_foreign_words_is_none();
        test_binary_over_ipv4();
        test_binary_over_ipv6();
        test_binary_over_unix();
        test_binary_without_addresses();
        test_binary_local_has_any_block_discarded();
        test_binary_is_refused_where_it_goes_wrong();
        test_binary_longer_than_the_limit_is_none();
        test_extras_stay_within_the_header();
        test_checksum_must_be_right();
        test_checksum_has_four_bytes_and_comes_once();
        return 0;
}
