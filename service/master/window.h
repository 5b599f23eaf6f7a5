/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The window: shows the shared memory of the service to who may look, for `appsrv status`.
 *
 * A socket beside the notify socket, in a folder that only we and root can enter. Who connects is
 * sent one message for the master, each board and each worker process, each with a descriptor that
 * is open for reading only, and then the end; the master waits for nobody, reads nothing and
 * formats nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct box;
struct generation;
struct listeners;
struct recoveries;

#define WINDOW_SOCKET  "status"
#define WINDOW_VERSION 3

/* So many that have not read all yet: what they do not read are descriptors in flight, which the
 * kernel counts and limits for all that we pass, to systemd as well. */
#define WINDOW_VIEWERS_MAX 8

/* Of the last reload. */
struct reload_outcome {
        uint32_t under_way; /* 1: it is not known yet */
        char refusal[256];  /* why it was refused; "": it was not, or there was none */
};

enum window_kind {
        WINDOW_MASTER,   /* the first message; with the master's own black box */
        WINDOW_BOARD,    /* of a generation; before its workers */
        WINDOW_WORKER,   /* with its black box */
        WINDOW_TEMPLATE, /* the same of a process that workers are forked from */
};

/* Magic, version and kind stay where they are in all versions. */
struct window_message {
        char magic[8]; /* WINDOW_MAGIC */
        uint32_t version;
        uint32_t kind;
        int32_t pid;         /* of the master or the worker */
        uint32_t generation; /* of the board or the worker; of the master: the one that serves */
        /* of a worker */
        uint32_t worker_id;
        uint32_t state; /* enum worker_state */
        uint32_t slot;  /* of the board before it */
        /* Of a worker: those that had its number before; of the master: all that took the place of
         * another one in the generation that serves. */
        uint32_t n_restarts;
        /* of the master */
        uint32_t n_recoveries; /* black boxes of the dead that wait for the journal */
        uint32_t n_wanted;     /* workers of the generation that serves; 0: none does */
        uint32_t n_least;      /* of them, where the load decides; 0: it does not */
        uint32_t n_most;
        uint64_t n_following;         /* messages, unless the socket has no room for all of them */
        uint64_t backlog;             /* as listen_backlog() says */
        uint64_t started_usec;        /* CLOCK_MONOTONIC; of both */
        struct reload_outcome reload; /* of the master */
};

#define WINDOW_MAGIC "appsrvWI"

/* What is to be seen. Borrowed. */
struct window_scene {
        struct generation *const *generations; /* the head of their list */
        const struct recoveries *recoveries;
        const struct listeners *listeners;
        const struct box *box; /* the master's own */
        const struct reload_outcome *reload;
};

struct window {
        struct window_scene scene;
        int fd;
        char path[108];
        sd_event_source *source;
        int viewers[WINDOW_VIEWERS_MAX]; /* that have not read all, as far as we know */
        size_t n_viewers;
};

/**
 * window_open() - open the socket and answer on it from now on
 * @neighbour: path of the notify socket
 *
 * Return: 0, or a negative errno.
 */
int window_open(struct window *window, const struct window_scene *scene, sd_event *event,
                const char *neighbour);

/** window_close() - close and remove it; also one that is all zero. */
void window_close(struct window *window);
