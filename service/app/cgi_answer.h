/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program prints, made into the response: its header block parsed, its body given on.
 *
 * A short answer that is there at once is sent as a whole; of another the head leaves with the
 * first bytes of the body, which then follow as they come. Application thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/app.h"
#include "app/cgi_head.h"

/* Bytes that are read at once, and of an answer that may be sent as a whole. */
#define CGI_ROOM ((size_t)64 << 10)

struct cgi_answer {
        struct exchange *exchange;
        uint64_t limit;    /* bytes of the body; 0: none */
        const char *fault; /* why there is no good answer: static text */
        bool parsed;       /* the header block is complete */
        bool begun;        /* the head was given */
        bool gone;         /* nobody takes more of it */
        bool complete;     /* nothing follows */
        struct cgi_head head;
        uint64_t body; /* bytes of it so far */
        size_t held;   /* bytes in the room */
        char *room;    /* CGI_ROOM bytes */
};

/** cgi_answer_begin() - a program was started. @room: CGI_ROOM bytes. */
void cgi_answer_begin(struct cgi_answer *answer, struct exchange *exchange, char *room,
                      uint64_t limit);

/** cgi_answer_room() - where the next bytes may be put, one at least. */
char *cgi_answer_room(struct cgi_answer *answer, size_t *ret_size);

/**
 * cgi_answer_take() - so many bytes were put there; waits for the client as long as he is slow
 *
 * Return: whether more is wanted; else see @fault, @gone.
 */
bool cgi_answer_take(struct cgi_answer *answer, size_t size);

/** cgi_answer_holds() - whether there is something that cgi_answer_go() would send. */
bool cgi_answer_holds(const struct cgi_answer *answer);

/** cgi_answer_go() - what is there is to leave now: more may not come soon. Return: as
 * cgi_answer_take(). */
bool cgi_answer_go(struct cgi_answer *answer);

/** cgi_answer_complete() - nothing follows any more. Can be repeated. */
void cgi_answer_complete(struct cgi_answer *answer);

/** cgi_answer_end() - give what was not given yet, all of it is there. */
void cgi_answer_end(struct cgi_answer *answer);

/** cgi_answer_local() - where the answer is to be found instead; NULL: it is this one. */
const char *cgi_answer_local(const struct cgi_answer *answer);
