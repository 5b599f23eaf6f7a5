/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's loop on epoll: a turn is one epoll_wait() and the calls that follow from it. Loop
 * thread. */
#include "worker/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/cleanup.h"

/* A worker watches about six descriptors; libmicrohttpd's connections hide behind one of them. */
#define EVENTS_PER_TURN 16

int loop_init(struct loop *loop)
{
        loop->slot = NULL;
        loop->epoll = epoll_create1(EPOLL_CLOEXEC);
        return loop->epoll < 0 ? -errno : 0;
}

void loop_done(struct loop *loop)
{
        close_descriptor(&loop->epoll);
        loop->epoll = -1;
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
        struct epoll_event event = {.events = events, .data.ptr = watch};

        if (watch->active)
                return 0;
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0)
                return -errno;
        watch->active = true;
        return 0;
}

void loop_forget(struct loop *loop, struct watch *watch)
{
        if (!watch->active)
                return;
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        watch->active = false;
}

/* Rounded up: a turn that came back a little early would be followed by one that does not wait at
 * all. */
static int milliseconds(uint64_t usec)
{
        uint64_t msec;

        if (usec == USEC_NEVER)
                return -1;
        msec = usec / USEC_PER_MSEC + (usec % USEC_PER_MSEC != 0);
        return msec > INT_MAX ? INT_MAX : (int)msec;
}

/* Who does not wait at all has not rested: that is what busy means. */
static int await(const struct loop *loop, struct epoll_event *events, uint64_t timeout_usec)
{
        bool rests = loop->slot && timeout_usec > 0;
        int n;

        if (rests)
                board_rest(loop->slot, now_usec());
        n = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, milliseconds(timeout_usec));
        if (rests)
                board_work(loop->slot, now_usec());
        return n;
}

int loop_turn(struct loop *loop, uint64_t timeout_usec)
{
        struct epoll_event events[EVENTS_PER_TURN];
        int n;

        n = await(loop, events, timeout_usec);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;

        for (int i = 0; i < n; i++) {
                struct watch *watch = events[i].data.ptr;

                /* A watch called earlier in this turn may have ended this one. */
                if (watch->active)
                        watch->ready(watch);
        }
        return n;
}
