/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application writes to its stdout or stderr, told apart into blocks: one line, or lines
 * that belong together, each to become one record.
 *
 * A line that begins with a space or a tab goes on with the block of the line before it. A Python
 * traceback is one block, with the line directly before it, the exception line that ends it and
 * those that are chained to it. Empty lines outside of a block are dropped, as are a newline and
 * one CR before it at the end of each line; within a block lines are parted by a newline. All other
 * bytes pass as they are, NUL and what is no UTF-8 too. A line that begins with "<0>" to "<7>"
 * (SyslogLevelPrefix= of systemd.exec(5)) starts a block of that priority.
 *
 * Pure: no I/O, no clock, no allocation. One user at a time. Holds no pointer, so it can live in
 * memory that is shared with another process, which goes on with it when its user has died: at
 * every instruction it holds the bytes that were added and not taken; at worst lines that belong
 * together come as two blocks. Whatever bytes the memory holds, no function leaves it or fails to
 * end.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a block, a priority prefix included: journald's own LineMax= is 48K. */
#define LINES_ROOM 49152

/* Lines of a block: a deep traceback has a few hundred; a longer one goes on in the next block. */
#define LINES_MOST 1000

/* Bytes that may have to be seen behind a block before its end is known: an empty line and the
 * longest line by which tracebacks are chained. */
#define LINES_AHEAD 128

/* Bytes that can be read at once, at least, while the blocks are taken. */
#define LINES_READ 16384

/* Twice what is held at most when there is no block to take: so what is held is moved to the
 * beginning only where both do not overlap, and a kill in between does no harm. */
#define LINES_TEXT (2 * (LINES_ROOM + LINES_AHEAD) + LINES_READ)

/* How far the next block is known. It can be found out again from its bytes, unless an earlier one
 * was cut short. */
struct lines_progress {
        uint32_t size;     /* of the block so far: whole lines, their newlines included */
        uint32_t n_lines;  /* of it */
        uint32_t searched; /* bytes up to which the line behind it has no newline */
        uint8_t gap;       /* 1: an empty line is behind it, which is part of it if more follows */
        uint8_t state;     /* what may follow its last line */
        uint8_t begun;     /* where it begins: at a fresh line or where an earlier one was cut */
        int8_t priority;   /* of that earlier one */
};

struct lines {
        _Atomic uint64_t held; /* where the bytes that are held begin in text[], and their number:
                                  one word, so that a kill leaves both as before or both as after */
        uint32_t given;        /* bytes that lines_take() forgets... */
        uint32_t given_start;  /* ...if they begin there */
        struct lines_progress progress;
        struct lines_progress then; /* the progress after lines_take() */
        char text[LINES_TEXT];
};

struct lines_block {
        const char *text;
        size_t size;  /* 1 to LINES_ROOM (0 only where the memory was scribbled over) */
        int priority; /* 0 to 7; -1: none was given */
        bool cut;     /* its last line is too long and goes on in the next block */
};

/** lines_init() - nothing is held. Zeroed memory needs no call. */
void lines_init(struct lines *lines);

/**
 * lines_room() - where the next bytes may be put
 * @ret_size: how many, LINES_READ or more if lines_next() gave nothing any more before; can be 0
 *            otherwise
 *
 * Ends the validity of what lines_next() gave. What is put there counts when lines_add() returns:
 * who is killed before takes it with him.
 */
void *lines_room(struct lines *lines, size_t *ret_size);

/** lines_add() - @size bytes were put there; not more are taken than there was room for. */
void lines_add(struct lines *lines, size_t size);

/**
 * lines_next() - the next block that is complete: what follows it is known not to belong to it
 * @flush: nothing follows for now; also a line without a newline is complete
 * @ret:   the block, valid until lines_room() or lines_take(); untouched when there is none
 *
 * The block stays: without lines_take() it is given again (and longer if more of it was added).
 *
 * Return: whether there is one.
 */
bool lines_next(struct lines *lines, bool flush, struct lines_block *ret);

/**
 * lines_take() - forget the block that lines_next() gave last, if it gave one
 *
 * Can be repeated, as when it is not known whether a killed process had done so.
 */
void lines_take(struct lines *lines);

/** lines_waiting() - whether lines_next() with @flush would give a block. */
bool lines_waiting(const struct lines *lines);
