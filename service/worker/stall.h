/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applications that hang as a whole, as Python does while C code keeps its lock: nobody but they
 * can tell, so they are asked, a few times in [server] watchdog and only while they have requests.
 * Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http;
struct service;

/* What is known of one application. */
struct stall {
        bool can;            /* tell */
        bool works;          /* on a request, at this look */
        uint64_t stood_usec; /* how long it has hung, as far as it was seen */
};

struct stalls {
        struct service *service;
        struct stall *of; /* one an application */
        unsigned n;       /* of them can tell */
        uint64_t pause;   /* between two looks */
        uint64_t limit;
        uint64_t looked;  /* now_usec() then; 0: not since there are requests */
        uint64_t look_at; /* USEC_NEVER: there are none */
};

/** stalls_init() - the applications of @service are started. Return: 0, or -ENOMEM; undone by
 * stalls_done(). */
int stalls_init(struct stalls *stalls, struct service *service);
void stalls_done(struct stalls *stalls);

/**
 * stalls_due() - whether it is time to look
 * @busy: there are requests
 */
bool stalls_due(struct stalls *stalls, bool busy, uint64_t now);

/**
 * stall_saw() - one look at an application
 * @passed: since the look before
 * @pause:  that there should have been: a loop that was late knows nothing of the time between
 */
void stall_saw(struct stall *stall, bool stands, uint64_t passed, uint64_t pause);

/** stalls_turn() - ask them, if it is time, and go on without those that hang for too long. */
void stalls_turn(struct stalls *stalls, const struct http *http, uint64_t now);

/** stalls_wake_usec() - when stalls_turn() has something to do; USEC_NEVER: nothing. */
uint64_t stalls_wake_usec(const struct stalls *stalls);

/** stalls_concern_all() - whether there is no application that could not hang so. */
bool stalls_concern_all(const struct stalls *stalls);
