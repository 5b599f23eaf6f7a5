/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many connections each client address has: a table of the addresses that have any.
 *
 * Of IPv6 the network of 64 bits counts, which is what one client has (RFC 6177 2). Loop thread.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_COUNT_BUCKETS 1024

struct address_count;

struct address_counts {
        uint64_t seed; /* random, so that clients cannot choose what lies in one bucket */
        struct address_count *buckets[ADDRESS_COUNT_BUCKETS];
};

/** address_counts_init() - nobody is connected. */
void address_counts_init(struct address_counts *counts, uint64_t seed);

/**
 * address_counts_enter() - one more connection of an address
 * @ret: ended with address_counts_leave(); NULL for an address that is not IP's, or without memory
 *
 * Return: how many it has now; 0 when it is not counted.
 */
unsigned address_counts_enter(struct address_counts *counts, const struct sockaddr *address,
                              struct address_count **ret);

/** address_counts_leave() - one less; frees what is not needed any more. Accepts NULL. */
void address_counts_leave(struct address_counts *counts, struct address_count *count);
