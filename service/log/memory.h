/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a log outlives its process: the account, and one or two rings with their positions. The
 * log's own; others know its size (log.h) and nothing else.
 */
#pragma once

#include "log/account.h"
#include "log/channel.h"

enum { CHANNEL_MAIN, CHANNEL_ACCESS, CHANNELS };

struct log_memory {
        struct account account;
        struct ring_positions positions[CHANNELS];
        _Atomic uint64_t instances[CHANNELS]; /* of the journalds that they were sent to */
        _Atomic uint64_t split;               /* 1: access records have a ring of their own */
        char access_namespace[JOURNAL_NAMESPACE_MAX + 1];
};

/** memory_divide() - set up the channels' rings in a buffer of @buffer_size bytes that follows the
 * memory. Return: how many channels there are. */
size_t memory_divide(struct log_memory *memory, size_t buffer_size,
                     struct channel channels[static CHANNELS]);

/** memory_adopt() - go on with what a dead process left. Trusts nothing. Return: 0, or -EBADMSG:
 * what could not be read is counted as lost as far as it is known. */
int memory_adopt(struct log_memory *memory, struct channel *channels, size_t n);

/** memory_held() - records in the rings, by kind; @unread: only those that the sinks have not
 * read. */
void memory_held(const struct channel *channels, size_t n, bool unread,
                 uint64_t held[static RECORD_KINDS]);
