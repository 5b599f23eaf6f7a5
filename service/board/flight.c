/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The in-flight table's slots: filled in, then declared taken by one store. */
#include "board/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

/* The client gets no other statuses. */
#define STATUS_MAX 999

static void copy_text(char *to, size_t room, const char *from, size_t size)
{
        if (size >= room)
                size = room - 1;
        if (size > 0)
                memcpy(to, from, size);
        to[size] = '\0';
}

static void copy_string(char *to, size_t room, const char *from)
{
        copy_text(to, room, from, from ? strlen(from) : 0);
}

int flights_init(struct flights *flights, struct flight *table, unsigned n, _Atomic uint32_t *used)
{
        flights->vacant = calloc(n + 1, sizeof(flights->vacant[0]));
        if (!flights->vacant)
                return -ENOMEM;
        flights->table = table;
        flights->n = n;
        flights->used = used;
        flights->n_vacant = 0;
        while (flights->n_vacant < n) {
                flights->vacant[flights->n_vacant] = n - 1 - flights->n_vacant;
                flights->n_vacant++;
        }
        return 0;
}

void flights_done(struct flights *flights)
{
        free(flights->vacant);
        *flights = (struct flights){0};
}

struct flight *flight_begin(struct flights *flights, const char *id, const char *peer,
                            const char *target, size_t target_size, uint64_t started_usec)
{
        struct flight *flight;
        unsigned slot;

        if (flights->n_vacant == 0)
                return NULL;
        slot = flights->vacant[--flights->n_vacant];
        if (slot >= atomic_load_explicit(flights->used, memory_order_relaxed))
                atomic_store_explicit(flights->used, slot + 1, memory_order_relaxed);
        flight = &flights->table[slot];
        atomic_store_explicit(&flight->status, 0, memory_order_relaxed);
        atomic_store_explicit(&flight->response_bytes, 0, memory_order_relaxed);
        atomic_store_explicit(&flight->thread, 0, memory_order_relaxed);
        atomic_store_explicit(&flight->group, 0, memory_order_relaxed);
        atomic_store_explicit(&flight->renamed, 0, memory_order_relaxed);
        ticket_clear(&flight->ticket);
        flight->started_usec = started_usec;
        flight->target_size = target_size < UINT32_MAX ? (uint32_t)target_size : UINT32_MAX;
        copy_string(flight->id, sizeof(flight->id), id);
        copy_string(flight->peer, sizeof(flight->peer), peer);
        copy_text(flight->target, sizeof(flight->target), target, target_size);
        flight->method[0] = flight->version[0] = flight->app[0] = '\0';
        flight_set_state(flight, FLIGHT_BEGUN);
        return flight;
}

void flight_describe(struct flight *flight, const char *method, const char *version,
                     const char *app)
{
        if (!flight)
                return;
        copy_string(flight->method, sizeof(flight->method), method);
        copy_string(flight->version, sizeof(flight->version), version);
        copy_string(flight->app, sizeof(flight->app), app);
}

void flight_set_peer(struct flight *flight, const char *peer)
{
        if (flight)
                copy_string(flight->peer, sizeof(flight->peer), peer);
}

/* The worker may be killed between any two bytes: until the new one is whole the old one counts. */
void flight_rename(struct flight *flight, const char *id)
{
        if (!flight)
                return;
        copy_string(flight->given_id, sizeof(flight->given_id), id);
        atomic_store_explicit(&flight->renamed, 1, memory_order_release);
}

void flight_set_state(struct flight *flight, enum flight_state state)
{
        if (flight)
                atomic_store_explicit(&flight->state, state, memory_order_release);
}

void flight_run(struct flight *flight)
{
        if (!flight)
                return;
        atomic_store_explicit(&flight->thread, own_thread(), memory_order_relaxed);
        flight_set_state(flight, FLIGHT_RUNNING);
}

void flight_rest(struct flight *flight)
{
        if (flight)
                atomic_store_explicit(&flight->thread, 0, memory_order_relaxed);
}

void flight_answer(struct flight *flight, unsigned status, uint64_t response_bytes)
{
        if (!flight)
                return;
        atomic_store_explicit(&flight->response_bytes, response_bytes, memory_order_relaxed);
        atomic_store_explicit(&flight->status, status, memory_order_relaxed);
        flight_set_state(flight, FLIGHT_ANSWERED);
}

void flight_end(struct flights *flights, struct flight *flight)
{
        if (!flight)
                return;
        flight_set_state(flight, FLIGHT_FREE);
        flights->vacant[flights->n_vacant++] = (unsigned)(flight - flights->table);
}

/* These are shown in lines as they are. */
static void make_plain(char *text, size_t room)
{
        text[room - 1] = '\0';
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

bool flight_read(const struct flight *flight, struct flight *copy)
{
        uint32_t state = atomic_load_explicit(&flight->state, memory_order_acquire);

        if (state == FLIGHT_FREE || state >= FLIGHT_STATES_MAX)
                return false;
        memcpy(copy, flight, sizeof(*copy));
        atomic_init(&copy->state, state);
        if (atomic_load(&copy->status) > STATUS_MAX)
                atomic_init(&copy->status, 0);
        if (atomic_load(&copy->renamed) != 0)
                memcpy(copy->id, copy->given_id, sizeof(copy->id));
        make_plain(copy->id, sizeof(copy->id));
        make_plain(copy->method, sizeof(copy->method));
        make_plain(copy->version, sizeof(copy->version));
        make_plain(copy->peer, sizeof(copy->peer));
        make_plain(copy->app, sizeof(copy->app));
        copy->target[sizeof(copy->target) - 1] = '\0';
        return true;
}

const char *flight_state_name(enum flight_state state)
{
        static const char *const names[] = {
                [FLIGHT_FREE] = "free",         [FLIGHT_BEGUN] = "arriving",
                [FLIGHT_WAITING] = "waiting",   [FLIGHT_RUNNING] = "running",
                [FLIGHT_ANSWERED] = "answered",
        };

        return state < FLIGHT_STATES_MAX ? names[state] : "unknown";
}
