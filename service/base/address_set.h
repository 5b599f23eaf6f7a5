/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of peers: which addresses somebody named in a setting.
 *
 * Pure. An IPv4 address that is mapped into IPv6 is the IPv4 address everywhere, because a socket
 * that takes both shows it so. Any thread.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_SET_MAX 64 /* addresses and networks; each peer is compared with all of them */

struct address_set {
        struct address_network {
                struct in6_addr address; /* IPv4: mapped, so that it has 96 bits more */
                unsigned bits;
        } networks[ADDRESS_SET_MAX];
        size_t n_networks;
        bool unix_peers;
        bool anybody;
};

/**
 * address_set_parse() - read a set as people write it: "127.0.0.1, ::1, 10.0.0.0/8, unix, *"
 * @text: addresses, networks, "unix" for peers on unix sockets, "*" for anybody; blanks around them
 *        do not count, and no text at all is nobody
 * @ret:  the set; untouched on failure
 *
 * Return: 0; -EINVAL for anything else, for a network with bits behind its prefix and for more than
 * ADDRESS_SET_MAX.
 */
int address_set_parse(const char *text, struct address_set *ret);

/** address_set_has() - whether a peer is in a set; all unix sockets are one peer. */
bool address_set_has(const struct address_set *set, const struct sockaddr *peer);

/**
 * address_parse() - read @size bytes as one address, strictly: four decimals, or what RFC 4291 2.2
 * allows without a zone
 * @family: AF_INET or AF_INET6
 * @ret:    the address, mapped when IPv4; untouched on failure
 */
bool address_parse(const char *text, size_t size, int family, struct in6_addr *ret);
