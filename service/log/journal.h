/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way to journald: one connected socket, one datagram a record.
 *
 * What was sent is in a queue of the kernel until journald reads it, and is gone when that queue is
 * closed meanwhile (`systemctl stop systemd-journald.socket`). So the sender can ask how much of it
 * was read. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* systemd's limit of an instance name is higher; longer ones do not fit a socket's address. */
#define JOURNAL_NAMESPACE_MAX 64

struct journal {
        int fd;               /* -1: not connected */
        uint64_t retry_after; /* CLOCK_MONOTONIC; no attempt to connect before */
        uint64_t instance;    /* of journald, as last seen; 0: never */
        size_t in_files;      /* bytes that went as files since everything was last read */
        char socket[108];     /* where journald listens */
        char witness[108];    /* a file that each start of journald makes anew */
};

/** journal_present() - whether there is a journal to log to on this machine. */
bool journal_present(void);

/** journal_init() - a sender that is not connected yet. @name_space: of the journal; "": the
 * default one; at most JOURNAL_NAMESPACE_MAX bytes. */
void journal_init(struct journal *journal, const char *name_space);

/** journal_close() - close the socket; what the kernel holds is still delivered. */
void journal_close(struct journal *journal);

/**
 * journal_send() - send one record, @more (may be empty) behind it; never blocks
 *
 * Return: 0; -EAGAIN when the journal takes nothing now (its queue is full); -ENOTCONN when it does
 * not listen: try again later, what was sent and not read may be lost; another negative errno when
 * it will never take this record.
 */
int journal_send(struct journal *journal, const void *record, size_t size, const char *more,
                 size_t more_size);

/** journal_unread() - at least so many bytes at the end of what was sent have not been read yet; 0:
 * all was. Means something only if the connection is still good afterwards: see journal_alive(). */
size_t journal_unread(struct journal *journal);

/** journal_alive() - whether the queue that records were sent into still exists. */
bool journal_alive(struct journal *journal);

/** journal_restarted() - whether another journald process has come into service since the last
 * question: the record that the former one had just read may be lost. The first answer is false. */
bool journal_restarted(struct journal *journal);

/* As long as the journal reads on, it is waited for up to so many times as long. */
#define JOURNAL_PATIENCE 10

/** journal_wait_read() - wait until everything that was sent has been read, or nothing was for
 * @timeout_usec (an hour at most). Return: whether all was read. */
bool journal_wait_read(struct journal *journal, uint64_t timeout_usec);
