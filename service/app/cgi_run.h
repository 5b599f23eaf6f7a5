/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request, answered by a program. Application threads. */
#pragma once

#include "app/cgi_environ.h"
#include "app/cgi_seats.h"
#include "app/tree.h"

/* An application of type cgi. */
struct cgi {
        struct cgi_settings settings;
        struct tree tree;
        struct arena arena; /* of fixed */
        struct cgi_environ fixed;
        int nothing;   /* /dev/null */
        int watch;     /* of strays_watch() */
        bool terminal; /* programs are to be kept off one */
        struct cgi_seats seats;
};

/** cgi_refuse() - answer with a status. @reason: static text for the access record, or NULL.
 * Return: 0. */
int cgi_refuse(struct exchange *exchange, int status, const char *reason);

/** cgi_run() - run the program that a request means, to its end. Return: as handle() of a kind. */
int cgi_run(struct exchange *exchange, struct cgi_seat *seat);
