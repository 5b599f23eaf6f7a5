/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The black box of one process: a memfd that holds what must not die with it.
 *
 * Made by the master for each worker that it forks (and for itself), mapped by both, and kept by
 * systemd's file descriptor store in case that both die. In it: who the process is, its in-flight
 * table, what it prints, its log, and the stack of its crash. The file cannot change its size, so a
 * reader that has validated the sizes once is safe from SIGBUS, whatever the process does.
 *
 * The layout is versioned. A reader takes the versions that it knows and refuses all others.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "board/flight.h"
#include "board/ticket.h"

#define BOX_VERSION 3

/* The crash's stack is text at the end of the file, where the size of the file bounds it. */
#define BOX_STACK_SIZE ((size_t)8192)

/* Sizes of the parts; what is in output and log is the log layer's. */
struct box_layout {
        uint32_t n_flights;
        uint64_t output_size;
        uint64_t log_size;
};

/* The state of a process that has ended as it should; others are the master's. */
#define BOX_ENDED UINT32_MAX

/* How a process was hit by a fatal signal; written by its signal handler. */
struct box_crash {
        _Atomic int32_t signal; /* 0: it was not */
        _Atomic int32_t thread; /* gettid() of the one that was hit */
        _Atomic uint64_t address;
};

struct box_identity {
        _Atomic int32_t pid; /* 0: it was not forked yet */
        _Atomic uint32_t id; /* of the worker; 0: the master */
        _Atomic uint32_t generation;
        _Atomic uint32_t state;        /* as the master sees it: enum worker_state, or BOX_ENDED */
        _Atomic uint64_t started_usec; /* CLOCK_MONOTONIC */
};

struct box_header {
        char magic[8];
        uint32_t version;
        uint32_t flight_size;
        struct box_layout layout;
        struct box_identity identity;
        _Atomic uint32_t flights_used; /* slots of the table that were ever taken */
        struct ticket epitaph;         /* of the event that tells of the process's end */
        struct box_crash crash;
};

/* One process's view of a box. */
struct box {
        int fd;
        size_t size;
        struct box_header *header;
        struct flight *flights;
        void *output;
        void *log;
        const char *stack;
        struct box_layout layout; /* validated; the one in the file may have been scribbled over */
};

/**
 * box_new() - make a box
 * @ret: freed with box_free(); untouched on failure
 *
 * Return: 0, -ENOMEM, or another negative errno of memfd_create(2).
 */
int box_new(struct box **ret, const struct box_layout *layout);

/**
 * box_open() - open a box that another process made
 * @fd: taken over on success
 *
 * Return: 0; -EPROTONOSUPPORT when its version is not known, -EBADMSG when it is no box or its
 * header is damaged, or another negative errno.
 */
int box_open(struct box **ret, int fd);

/** box_view() - the same, read-only, for somebody who only looks. */
int box_view(struct box **ret, int fd);

/** box_set_inherited() - whether a child that is forked from now on sees it: only the process whose
 * box it is may be able to scribble on it. A new box is not inherited. */
void box_set_inherited(struct box *box, bool inherited);

/** box_flights_used() - the slots that were ever taken are those before this one: a table of 65,536
 * has 64 MiB, which looking at would allocate. */
unsigned box_flights_used(const struct box *box);

/** box_free() - unmap and close; accepts NULL. */
void box_free(struct box *box);
