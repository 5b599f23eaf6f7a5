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

#include "board/ticket.h"
#include "log/record.h"

/* Below it, a quarter of the ring would not hold an access record with the longest target. */
#define LOG_BUFFER_MIN ((size_t)64 << 10)

struct log;

enum log_target {
        LOG_TARGET_AUTO, /* the journal where its socket exists, else the console */
        LOG_TARGET_JOURNAL,
        LOG_TARGET_CONSOLE, /* one line a record */
};

struct log_options {
        enum log_target target;
        int console; /* descriptor of the console, borrowed */
        int level;   /* events and application records above it are not taken: 6 takes info, not
                        debug; access records and output have no level */
        size_t buffer_size; /* LOG_BUFFER_MIN or more */
        void *memory; /* log_memory_size(buffer_size) bytes that outlive the process, aligned to
                         a page, zeroed for a new log; NULL: the log allocates its own */
        const char *access_namespace;  /* of the journal, for access records; NULL or "": they go
                                          where all others do */
        struct record_subject subject; /* of the log's own events */
        uint64_t block_usec; /* how long a commit waits for room in a full ring before the record is
                                dropped and counted */
};

/* What went through a log since it was opened. */
struct log_counters {
        uint64_t shipped;
        uint64_t lost; /* dropped and counted: the ring was full, or the sink refused the record for
                          good */
        uint64_t used; /* bytes of the buffer whose records the sink has not read, of capacity */
        uint64_t capacity;
};

/** log_memory_size() - bytes of memory that a log with this buffer needs. */
size_t log_memory_size(size_t buffer_size);

/**
 * log_open() - open the log of this process
 * @ret: the log; closed with log_close(). The calling thread is its owner. Untouched on failure.
 *
 * With the journal as target it is no error that journald does not listen now: records wait in the
 * ring. Return: 0, -EINVAL below LOG_BUFFER_MIN, -ENOMEM or another negative errno.
 */
int log_open(struct log **ret, const struct log_options *options);

/**
 * log_adopt() - go on with the log of a dead process
 * @options: memory is the dead process's, subject the dead process; level and access_namespace are
 *           not used
 *
 * What it had committed is shipped by this log, what it may have sent already is marked REPLAYED=1,
 * and its losses are told. Trusts nothing that the memory holds. Return: as log_open(); -EBADMSG is
 * no failure: the log is open, but the memory was damaged and what could not be read is counted as
 * lost.
 */
int log_adopt(struct log **ret, const struct log_options *options);

/**
 * log_close() - ship what can be shipped, wait until the journal has read it, close; accepts NULL
 * @timeout_usec: how long to wait when the journal takes nothing (an hour at most); as long as it
 *                does, up to JOURNAL_PATIENCE times as long
 * @heir: whether somebody will adopt the memory: what could not be shipped is left to him. Else it
 *        is counted as lost, and the count is told on the console, the only way left.
 *
 * The wait matters: journald attributes a record to its unit by looking up the sender when it reads
 * the record; a sender that has already gone leaves a record that `journalctl -u` does not find
 * (systemd issue 2913). Owner only. Return: whether the journal has read everything, so that the
 * memory is not needed any more; an heir of it that is in no hurry keeps an eye on it for a while.
 */
bool log_close(struct log *log, uint64_t timeout_usec, bool heir);

/**
 * log_finish() - the same, and the log stays open: for a process that ends while its threads commit
 *
 * What they commit from then on is the heir's; without one it is gone with the process. Owner only.
 */
bool log_finish(struct log *log, uint64_t timeout_usec, bool heir);

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

/** log_commit_for() - the same; @ticket is settled in the instant in which the record is taken or
 * counted as lost. */
int log_commit_for(struct log *log, const struct record *record, struct ticket *ticket);

/** log_try_commit() - the same for an owner who can come again later: -EAGAIN when there is no room
 * now, and nothing has happened. */
int log_try_commit(struct log *log, const struct record *record, struct ticket *ticket);

/** log_own() - the calling thread is the owner from now on: the one before does not ship now. */
void log_own(struct log *log);

/**
 * log_lead() - whether the owner ships; when he does something else, he commits as any other thread
 *
 * But nobody is woken for what he commits then: log_ship() is to follow, by him or the next owner.
 * Owner only.
 */
void log_lead(struct log *log, bool leads);

/** log_settled() - whether a @ticket for a record of @kind, that a dead process may have held when
 * it died, was settled. Owner of the adopted log. */
bool log_settled(struct log *log, const struct ticket *ticket, enum record_kind kind);

/** log_wake_fd() - readable (EPOLLIN) when another thread committed and the owner should call
 * log_ship(); -1 never. */
int log_wake_fd(const struct log *log);

/** log_output_fd() - to watch for EPOLLOUT when log_ship() gave -EAGAIN; may change with every
 * log_ship(); -1: none, try again by time. */
int log_output_fd(const struct log *log);

/** log_wake_usec() - when to call log_ship() again even if nothing happens (CLOCK_MONOTONIC);
 * USEC_NEVER. */
uint64_t log_wake_usec(const struct log *log);

/**
 * log_ship() - ship records until the ring is empty or the sink takes no more; never blocks. Owner
 * only.
 *
 * Loss is reported by a log-lost event with the count by class and the time of the first one, as
 * soon as the sink takes records again, and while it goes on at most once a second. Return: 0 when
 * nothing waits; -EAGAIN when records wait (try again on EPOLLOUT of log_output_fd()). In both
 * cases again at log_wake_usec(), since sent records are kept until they are known to be read.
 */
int log_ship(struct log *log);

/** log_is_empty() - whether nothing of the log is left in its memory: all is in safety. Owner
 * only. */
bool log_is_empty(const struct log *log);

/** log_is_console() - whether the records go to the console. */
bool log_is_console(const struct log *log);

/** log_counters() - what went through so far; any thread. */
struct log_counters log_counters(const struct log *log);

/** log_memory_counters() - the same of another process's log in @size bytes at @memory, of which
 * nothing is trusted. */
struct log_counters log_memory_counters(const void *memory, size_t size);
