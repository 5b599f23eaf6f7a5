/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it takes to run a program, kept for the next one: as many programs run at once as there are
 * seats. Any thread takes and leaves them. */
#pragma once

#include <pthread.h>

#include "app/cgi_stderr.h"

struct cgi_seat {
        struct cgi_seat *next;
        int alarm;   /* an eventfd, non-blocking */
        char *stack; /* CGI_STACK_SIZE bytes */
        char *room;  /* CGI_ROOM bytes */
        struct cgi_stderr *errors;
};

/* All zero: none. */
struct cgi_seats {
        struct cgi_seat *seats;
        unsigned n;
        pthread_mutex_t mutex; /* over what follows */
        struct cgi_seat *vacant;
};

/** cgi_seats_make() - make @n; freed with cgi_seats_free(), also on failure. Return: 0, or a
 * negative errno. */
int cgi_seats_make(struct cgi_seats *seats, unsigned n);

/** cgi_seats_free() - nobody has one any more. */
void cgi_seats_free(struct cgi_seats *seats);

/** cgi_seat_take() - one that is free, until cgi_seat_leave(); NULL: there is none. */
struct cgi_seat *cgi_seat_take(struct cgi_seats *seats);

void cgi_seat_leave(struct cgi_seats *seats, struct cgi_seat *seat);
