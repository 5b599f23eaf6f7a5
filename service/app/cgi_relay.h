/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What passes between a program and its request while it runs: the body in, the answer and the
 * errors out; and when it is to end. The one loop that waits for a program. Application thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/cgi_answer.h"
#include "app/cgi_child.h"
#include "app/cgi_stderr.h"

/* Why a program was not waited for any longer. */
enum cgi_end {
        CGI_ENDED,     /* it has ended by itself */
        CGI_LINGERED,  /* it, or what it left behind, went on for too long after its answer */
        CGI_SILENT,    /* it did nothing for [app] timeout */
        CGI_OVERDUE,   /* it took longer than [app] deadline */
        CGI_REFUSED,   /* its answer cannot be used: cgi_answer.fault */
        CGI_ABANDONED, /* nobody waits for its answer any more */
};

struct cgi_relay {
        const struct cgi_settings *settings;
        struct cgi_child child;
        struct cgi_answer *answer;
        struct cgi_stderr *errors;
        int in, out, err;              /* the worker's ends, owned, non-blocking; -1: closed */
        int alarm;                     /* readable when @abandoned may be true */
        const _Atomic bool *abandoned; /* nobody waits for the answer any more */
        const char *body;
        size_t left; /* bytes of the body */

        enum cgi_end end;
        bool stopped; /* it is to end */
        bool exited;
        bool killed;      /* it had not ended by itself when it was to */
        uint64_t started; /* when it was; as all times, now_usec() */
        uint64_t moved;   /* when it took or gave something last */
        uint64_t heard;   /* when it printed an error last */
        uint64_t parsed;  /* when its header block was complete; 0: it is not */
        uint64_t over;    /* when its answer or it ended, or it was told to; 0: it has not */
};

/** cgi_relay_run() - until it is over: the program was waited for and all is closed. Return: its
 * status, as of waitpid(2). */
int cgi_relay_run(struct cgi_relay *relay);
