/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Those that are free are a stack: the last one left is warm. */
#include "app/cgi_seats.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "app/cgi_answer.h"
#include "app/cgi_child.h"
#include "base/cleanup.h"

struct cgi_seat *cgi_seat_take(struct cgi_seats *seats)
{
        struct cgi_seat *seat;

        pthread_mutex_lock(&seats->mutex);
        seat = seats->vacant;
        if (seat)
                seats->vacant = seat->next;
        pthread_mutex_unlock(&seats->mutex);
        return seat;
}

void cgi_seat_leave(struct cgi_seats *seats, struct cgi_seat *seat)
{
        pthread_mutex_lock(&seats->mutex);
        seat->next = seats->vacant;
        seats->vacant = seat;
        pthread_mutex_unlock(&seats->mutex);
}

static int make_seat(struct cgi_seat *seat)
{
        void *stack = mmap(NULL, CGI_STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

        seat->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        seat->stack = stack == MAP_FAILED ? NULL : stack;
        seat->room = malloc(CGI_ROOM);
        seat->errors = calloc(1, sizeof(*seat->errors));
        if (seat->alarm < 0)
                return -errno;
        return seat->stack && seat->room && seat->errors ? 0 : -ENOMEM;
}

int cgi_seats_make(struct cgi_seats *seats, unsigned n)
{
        int r = 0;

        seats->seats = calloc(n, sizeof(*seats->seats));
        if (!seats->seats)
                return -ENOMEM;
        (void)pthread_mutex_init(&seats->mutex, NULL);
        while (r == 0 && seats->n < n) {
                struct cgi_seat *seat = &seats->seats[seats->n++];

                r = make_seat(seat);
                seat->next = seats->vacant;
                seats->vacant = seat;
        }
        return r;
}

void cgi_seats_free(struct cgi_seats *seats)
{
        if (!seats->seats)
                return;
        for (unsigned i = 0; i < seats->n; i++) {
                struct cgi_seat *seat = &seats->seats[i];

                free(seat->errors);
                free(seat->room);
                if (seat->stack)
                        (void)munmap(seat->stack, CGI_STACK_SIZE);
                close_descriptor(&seat->alarm);
        }
        (void)pthread_mutex_destroy(&seats->mutex);
        free(seats->seats);
}
