/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal as a sink: encoded records to journald's native socket, one datagram an entry.
 *
 * Not sd_journal_sendv(): that blocks without limit while journald does not read, calls a missing
 * socket a success, and shares one descriptor between parent and child. Owner of the log only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal {
        int fd;               /* -1: not connected */
        uint64_t retry_after; /* CLOCK_MONOTONIC; no attempt to connect before */
};

/** journal_present() - whether there is a journal to log to on this machine. */
bool journal_present(void);

/** journal_init() - a sender that is not connected yet. */
void journal_init(struct journal *journal);

/** journal_close() - close the socket; what the kernel holds is still delivered. */
void journal_close(struct journal *journal);

/**
 * journal_send() - send one record; never blocks
 *
 * Return: 0; -EAGAIN when the journal takes nothing now (its queue is full, or it does not listen);
 * another negative errno when it will never take this record.
 */
int journal_send(struct journal *journal, const void *record, size_t size);

/** journal_wait_read() - wait at most @timeout_usec until journald has read everything that was
 * sent. */
void journal_wait_read(const struct journal *journal, uint64_t timeout_usec);
