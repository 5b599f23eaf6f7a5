/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of one process: takes records from any thread, keeps them in a ring, and ships them to
 * its sink.
 *
 * Two roles: any thread commits; one thread, the owner, ships (the master's loop, a worker's loop
 * thread). A log belongs to the process that opened it: a worker opens its own after fork() and
 * never uses the master's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/record.h"

/* Below it, a quarter of the ring would not hold an access record with the longest target. */
#define LOG_BUFFER_MIN ((size_t)64 << 10)

struct log;

enum log_target {
        LOG_TARGET_AUTO, /* the journal where its socket exists, else the console */
        LOG_TARGET_JOURNAL,
        LOG_TARGET_CONSOLE, /* one line a record to standard error */
};

struct log_options {
        enum log_target target;
        int level;    /* events and application records above it are not taken: 6 takes info, not
                         debug; access records and output have no level */
        void *buffer; /* memory of the ring; NULL: the log allocates buffer_size itself */
        size_t buffer_size;            /* LOG_BUFFER_MIN or more */
        struct record_subject subject; /* of the log's own events */
        uint64_t block_usec; /* how long a commit waits for room in a full ring before the record is
                                dropped and counted */
};

/* What went through a log since it was opened. */
struct log_counters {
        uint64_t shipped;
        uint64_t lost; /* dropped and counted: the ring was full, or the sink refused the record for
                          good */
};

/**
 * log_open() - open the log of this process
 * @ret: the log; closed with log_close(). The calling thread is its owner. Untouched on failure.
 *
 * With the journal as target it is no error that journald does not listen now: records wait in the
 * ring. Return: 0, -EINVAL below LOG_BUFFER_MIN, -ENOMEM or another negative errno.
 */
int log_open(struct log **ret, const struct log_options *options);

/**
 * log_close() - ship what can be shipped within @timeout_usec, wait until the journal has read it,
 * close; accepts NULL
 *
 * The wait matters: journald attributes a record to its unit by looking up the sender when it reads
 * the record; a sender that has already gone leaves a record that `journalctl -u` does not find
 * (systemd issue 2913). What could not be shipped is counted as lost, and the count is told on
 * standard error, the only way left. Owner only.
 */
void log_close(struct log *log, uint64_t timeout_usec);

/** log_abandon() - in a child after fork(): close the parent's log without shipping anything of it;
 * accepts NULL. */
void log_abandon(struct log *log);

/** log_enabled() - whether records of @level (0 to 7) are taken; cheap, any thread. */
bool log_enabled(const struct log *log, int level);

/** log_set_level() - change the level; owner only. */
void log_set_level(struct log *log, int level);

/**
 * log_commit() - take a record: encoded into the ring, or dropped and counted
 *
 * Any thread. Blocks for at most block_usec, and only when the ring is full; after one wait that
 * ended in a loss, nobody waits until half of the ring is free again. The last eighth of the ring
 * is for events and records of priority 4 (warning) and above. In the owner's thread a full ring is
 * shipped before anything is dropped.
 *
 * Return: 0, also when the level says that the record is not wanted; counted as lost: -ENOBUFS when
 * there was no room, -EMSGSIZE above RECORD_SIZE_MAX or a quarter of the ring, record->error.
 */
int log_commit(struct log *log, const struct record *record);

/** log_wake_fd() - readable (EPOLLIN) when another thread committed and the owner should call
 * log_ship(); -1 never. */
int log_wake_fd(const struct log *log);

/** log_output_fd() - to watch for EPOLLOUT when log_ship() gave -EAGAIN; may change with every
 * log_ship(); -1: none, try again by time. */
int log_output_fd(const struct log *log);

/**
 * log_ship() - ship records until the ring is empty or the sink takes no more; never blocks. Owner
 * only.
 *
 * Loss is reported by a log-lost event with the count by class and the time of the first one, as
 * soon as the sink takes records again, and while it goes on at most once a second. Return: 0 when
 * the ring is empty; -EAGAIN when records wait (try again on EPOLLOUT of log_output_fd(), or after
 * 100 ms).
 */
int log_ship(struct log *log);

/** log_is_console() - whether the records go to the console. */
bool log_is_console(const struct log *log);

/** log_counters() - what went through so far; any thread. */
struct log_counters log_counters(struct log *log);
