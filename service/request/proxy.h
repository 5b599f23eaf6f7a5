/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PROXY protocol, versions 1 and 2: what a load balancer says of a connection before its first
 * byte. Sections are those of HAProxy's proxy-protocol.txt.
 *
 * Pure: bytes in, addresses out. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What a header of version 2 may take in all; the protocol itself would allow 64 KiB of extras. */
#define PROXY_HEADER_MAX 4096

struct proxy_header {
        bool has_addresses;                  /* false: those of the socket are the right ones */
        struct sockaddr_storage source;      /* the client. AF_INET, AF_INET6, or AF_UNIX, whose */
        struct sockaddr_storage destination; /* path need not end with a NUL when it fills 108 */
        socklen_t source_size;
        socklen_t destination_size;
};

/**
 * proxy_parse() - read the header that a connection begins with
 * @data: what came so far
 * @size: its bytes; those behind the header are not looked at
 * @ret:  the header, when it is complete; else untouched
 *
 * Return: bytes of the header; 0 when it is incomplete, which never happens at PROXY_HEADER_MAX
 * bytes; -EBADMSG when this is no header and no further bytes can make it one.
 */
int proxy_parse(const void *data, size_t size, struct proxy_header *ret);
