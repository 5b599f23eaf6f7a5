/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PROXY headers read byte by byte: a beginning is refused as soon as nothing can complete it, so
 * that who speaks no PROXY is not waited for. Any thread.
 */
#include "request/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* -- what both versions come to ---------------------------------------------------------------- */

/* As version 2 has them: network byte order, source first. */
struct endpoints {
        int family;
        const unsigned char *addresses[2];
        const unsigned char *ports[2];
};

static socklen_t store(struct sockaddr_storage *ret, const struct endpoints *ends, size_t which)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
        struct sockaddr_un *local = (struct sockaddr_un *)ret;

        ret->ss_family = (sa_family_t)ends->family;
        if (ends->family == AF_INET) {
                memcpy(&v4->sin_addr, ends->addresses[which], sizeof(v4->sin_addr));
                memcpy(&v4->sin_port, ends->ports[which], sizeof(v4->sin_port));
                return sizeof(*v4);
        }
        if (ends->family == AF_INET6) {
                memcpy(&v6->sin6_addr, ends->addresses[which], sizeof(v6->sin6_addr));
                memcpy(&v6->sin6_port, ends->ports[which], sizeof(v6->sin6_port));
                return sizeof(*v6);
        }
        memcpy(local->sun_path, ends->addresses[which], sizeof(local->sun_path));
        return sizeof(*local);
}

static struct proxy_header header_of(const struct endpoints *ends)
{
        struct proxy_header header = {.has_addresses = ends->family != AF_UNSPEC};

        if (header.has_addresses) {
                header.source_size = store(&header.source, ends, 0);
                header.destination_size = store(&header.destination, ends, 1);
        }
        return header;
}

/* -- version 1: one line of text (2.1) --------------------------------------------------------- */

/* With CRLF, whatever UNKNOWN is followed by. */
#define LINE_MAX_SIZE 107

/* What there is of the line. */
struct line {
        const char *at;
        const char *end;
        bool ended; /* CR is at @end */
};

struct word {
        const char *text;
        size_t size;
        char next; /* ' ', '\r', or NUL when the word may go on */
};

static struct word next_word(struct line *line)
{
        size_t left = (size_t)(line->end - line->at);
        const char *space = memchr(line->at, ' ', left);
        struct word word = {.text = line->at,
                            .size = space ? (size_t)(space - line->at) : left,
                            .next = line->ended ? '\r' : '\0'};

        if (space)
                word.next = ' ';
        line->at += word.size + (space != NULL);
        return word;
}

/*
 * Every judge below tells of a word: 1: it is whole, 0: it begins one, -EBADMSG: neither. This adds
 * what has to follow.
 */
static int followed_by(char next, const struct word *word, int judged)
{
        if (judged < 0)
                return judged;
        if (word->next == '\0')
                return 0;
        return judged > 0 && word->next == next ? 1 : -EBADMSG;
}

static int judge_keyword(const struct word *word, const char *keyword)
{
        if (word->size > strlen(keyword) || memcmp(word->text, keyword, word->size) != 0)
                return -EBADMSG;
        return word->size == strlen(keyword);
}

/*
 * Whether it begins an address is asked of inet_pton(), with which a second reader of IPv6 could
 * disagree: does one of these endings make it one?
 */
static int judge_address(const struct word *word, int family, unsigned char *ret)
{
        static const char *const endings[] = {"",     "0",      ":",   "::",    ":0",     ".0",
                                              ".0.0", ".0.0.0", "0.0", "0.0.0", "0.0.0.0"};
        char text[INET6_ADDRSTRLEN + sizeof("0.0.0.0")];

        if (word->size >= INET6_ADDRSTRLEN || memchr(word->text, '\0', word->size))
                return -EBADMSG;
        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
                (void)snprintf(text, sizeof(text), "%.*s%s", (int)word->size, word->text,
                               endings[i]);
                if (inet_pton(family, text, ret) == 1)
                        return i == 0;
        }
        return -EBADMSG;
}

static int judge_port(const struct word *word, unsigned char ret[static 2])
{
        unsigned port = 0;

        if (word->size > 1 && word->text[0] == '0')
                return -EBADMSG;
        for (size_t i = 0; i < word->size; i++) {
                if (word->text[i] < '0' || word->text[i] > '9')
                        return -EBADMSG;
                port = port * 10 + (unsigned)(word->text[i] - '0');
                if (port > UINT16_MAX)
                        return -EBADMSG;
        }
        ret[0] = (unsigned char)(port >> 8);
        ret[1] = (unsigned char)port;
        return word->size > 0;
}

/* "address address port port": single spaces, nothing behind. */
static int take_endpoints(struct line *line, int family, struct proxy_header *ret)
{
        unsigned char addresses[2][sizeof(struct in6_addr)], ports[2][sizeof(in_port_t)];
        struct word word;
        int r;

        for (size_t i = 0; i < 2; i++) {
                word = next_word(line);
                r = followed_by(' ', &word, judge_address(&word, family, addresses[i]));
                if (r <= 0)
                        return r;
        }
        for (size_t i = 0; i < 2; i++) {
                word = next_word(line);
                r = followed_by(i == 0 ? ' ' : '\r', &word, judge_port(&word, ports[i]));
                if (r <= 0)
                        return r;
        }
        *ret = header_of(&(struct endpoints){.family = family,
                                             .addresses = {addresses[0], addresses[1]},
                                             .ports = {ports[0], ports[1]}});
        return 1;
}

/* What comes behind UNKNOWN must be ignored (2.1), so it is whole with or without more. */
static int take_unknown(const struct line *line, struct proxy_header *ret)
{
        if (!line->ended)
                return 0;
        *ret = (struct proxy_header){0};
        return 1;
}

/* Return: 1: the line is good up to its CR, 0: incomplete, -EBADMSG. */
static int take_line(struct line *line, struct proxy_header *ret)
{
        static const struct {
                const char *name;
                int family;
        } protocols[] = {{"TCP4", AF_INET}, {"TCP6", AF_INET6}, {"UNKNOWN", AF_UNSPEC}};
        struct word word = next_word(line);
        int begins = -EBADMSG, r = followed_by(' ', &word, judge_keyword(&word, "PROXY"));

        if (r <= 0)
                return r;
        word = next_word(line);
        for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
                r = judge_keyword(&word, protocols[i].name);
                if (r > 0 && protocols[i].family == AF_UNSPEC)
                        return take_unknown(line, ret);
                if (r > 0 && word.next == ' ')
                        return take_endpoints(line, protocols[i].family, ret);
                if (r >= 0)
                        begins = followed_by(' ', &word, r);
        }
        return begins;
}

static int parse_1(const char *text, size_t size, struct proxy_header *ret)
{
        size_t most = LINE_MAX_SIZE - 1; /* up to the CR */
        const char *cr = memchr(text, '\r', size < most ? size : most);
        struct line line = {.at = text, .end = cr ? cr : text + size, .ended = cr != NULL};
        struct proxy_header header;
        int r;

        if (!cr && size >= most)
                return -EBADMSG;
        r = take_line(&line, &header);
        if (r <= 0)
                return r;
        if (cr + 1 == text + size)
                return 0;
        if (cr[1] != '\n')
                return -EBADMSG;
        *ret = header;
        return (int)(cr + 2 - text);
}

/* -- version 2: binary (2.2) ------------------------------------------------------------------- */

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
                                            '\n', 'Q',  'U',  'I',  'T',  '\n'};

/* Where things are behind the signature, and what of the second version is there. */
enum {
        AT_COMMAND = 12,
        AT_FAMILY = 13,
        AT_LENGTH = 14,
        AT_BLOCK = 16,
        COMMAND_LOCAL = 0x20,
        COMMAND_PROXY = 0x21,
        EXTRA_HEAD = 3, /* a TLV's type and length */
        EXTRA_CRC32C = 0x03,
        CRC_SIZE = 4,
};

/* Connections only: what came as datagrams (0x12, 0x22, 0x32) is no HTTP/1. */
static const struct layout {
        unsigned char code;
        int family;
        size_t address_size;
        size_t port_size;
} layouts[] = {
        {0x00, AF_UNSPEC, 0, 0}, /* need not be taken with PROXY (2.2): only if all of it is TLVs */
        {0x11, AF_INET, sizeof(struct in_addr), sizeof(in_port_t)},
        {0x21, AF_INET6, sizeof(struct in6_addr), sizeof(in_port_t)},
        {0x31, AF_UNIX, sizeof(((struct sockaddr_un *)NULL)->sun_path), 0},
};

static const struct layout *find_layout(unsigned char code)
{
        for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
                if (layouts[i].code == code)
                        return &layouts[i];
        }
        return NULL;
}

static size_t read_16(const unsigned char *bytes)
{
        return (size_t)bytes[0] << 8 | bytes[1];
}

/* CRC-32C (RFC 9260, Appendix A) of @size bytes, those of the checksum itself taken as zero
 * (2.2.3). */
static uint32_t crc_without(const unsigned char *data, size_t size, size_t checksum_at)
{
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= i - checksum_at < CRC_SIZE ? 0 : data[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
        return ~crc;
}

static bool crc_right(const unsigned char *data, size_t size, size_t at)
{
        return crc_without(data, size, at) ==
               (uint32_t)(read_16(data + at) << 16 | read_16(data + at + 2));
}

/*
 * Walk over the TLVs between @at and @total, of which @size bytes are there. Return: 1: sound,
 * 0: so far, -EBADMSG: one reaches beyond the end, or the checksum is wrong or there twice.
 */
static int check_extras(const unsigned char *data, size_t at, size_t total, size_t size)
{
        size_t checksum_at = 0;

        while (at < total) {
                size_t length;

                if (total - at < EXTRA_HEAD)
                        return -EBADMSG;
                if (size < at + EXTRA_HEAD)
                        return 0;
                length = read_16(data + at + 1);
                if (length > total - at - EXTRA_HEAD)
                        return -EBADMSG;
                if (data[at] == EXTRA_CRC32C) {
                        if (length != CRC_SIZE || checksum_at > 0)
                                return -EBADMSG;
                        checksum_at = at + EXTRA_HEAD;
                }
                at += EXTRA_HEAD + length;
        }
        if (size < total)
                return 0;
        return checksum_at == 0 || crc_right(data, total, checksum_at) ? 1 : -EBADMSG;
}

/* As far as the bytes are there; a length cut in two is at least what its first byte says. */
static bool fixed_part_valid(const unsigned char *data, size_t size)
{
        if (memcmp(data, signature, size < sizeof(signature) ? size : sizeof(signature)) != 0)
                return false;
        if (size > AT_COMMAND && data[AT_COMMAND] != COMMAND_LOCAL &&
            data[AT_COMMAND] != COMMAND_PROXY)
                return false;
        if (size > AT_FAMILY && data[AT_COMMAND] == COMMAND_PROXY && !find_layout(data[AT_FAMILY]))
                return false;
        if (size == AT_LENGTH + 1)
                return AT_BLOCK + ((size_t)data[AT_LENGTH] << 8) <= PROXY_HEADER_MAX;
        return size < AT_BLOCK || AT_BLOCK + read_16(data + AT_LENGTH) <= PROXY_HEADER_MAX;
}

static struct proxy_header read_block(const unsigned char *block, const struct layout *layout)
{
        const unsigned char *ports = block + 2 * layout->address_size;

        return header_of(&(struct endpoints){.family = layout->family,
                                             .addresses = {block, block + layout->address_size},
                                             .ports = {ports, ports + layout->port_size}});
}

static int take_block(const unsigned char *data, size_t total, size_t size,
                      struct proxy_header *ret)
{
        const struct layout *layout = find_layout(data[AT_FAMILY]);
        size_t extras = AT_BLOCK + 2 * (layout->address_size + layout->port_size);
        int r;

        if (extras > total)
                return -EBADMSG;
        r = check_extras(data, extras, total, size);
        if (r > 0)
                *ret = read_block(data + AT_BLOCK, layout);
        return r;
}

static int parse_2(const unsigned char *data, size_t size, struct proxy_header *ret)
{
        size_t total;
        int r;

        if (!fixed_part_valid(data, size))
                return -EBADMSG;
        if (size < AT_BLOCK)
                return 0;
        total = AT_BLOCK + read_16(data + AT_LENGTH);
        if (data[AT_COMMAND] == COMMAND_PROXY) {
                r = take_block(data, total, size, ret);
                return r > 0 ? (int)total : r;
        }
        if (size < total)
                return 0;
        /* LOCAL: the block is discarded with its family, whatever is in it, extras as well (2.2).
         */
        *ret = (struct proxy_header){0};
        return (int)total;
}

int proxy_parse(const void *data, size_t size, struct proxy_header *ret)
{
        if (size == 0)
                return 0;
        return *(const char *)data == 'P' ? parse_1(data, size, ret) : parse_2(data, size, ret);
}
