/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the master and a template process say to each other: "a worker, please, with this number and
 * these descriptors", and "here it is".
 *
 * One order at a time, over a socket of their own (SOCK_SEQPACKET). The template holds code of
 * applications: the master believes nothing of what it says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What goes along with an order. */
enum order_fd {
        ORDER_BOX,
        ORDER_PRINTED,                    /* read ends of the worker's standard output and error */
        ORDER_PRINTS = ORDER_PRINTED + 2, /* write ends */
        ORDER_FDS = ORDER_PRINTS + 2,
};

struct order {
        uint32_t serial;
        uint32_t worker_id;
        uint32_t slot; /* of the board */
        uint32_t n_workers;
        uint32_t box_kept; /* 1: by systemd */
};

struct receipt {
        uint32_t serial; /* of the order */
        int32_t result;  /* the worker's pid, or a negative errno */
};

/** order_socket() - the two ends: [0] is the master's. Return: 0, or a negative errno. */
int order_socket(int ends[static 2]);

/** order_send() - master: send one. @fds: still the caller's. Never blocks. Return: 0, or a
 * negative errno. */
int order_send(int end, const struct order *order, const int fds[static ORDER_FDS]);

/**
 * order_receive() - template: take the next one
 * @fds: the caller closes them
 *
 * Never blocks. Return: 1; 0 when there is no master any more; -EAGAIN when there is no order, or
 * another negative errno.
 */
int order_receive(int end, struct order *ret, int fds[static ORDER_FDS]);

/** receipt_send() - template: what became of an order. Return: 0, or a negative errno. */
int receipt_send(int end, const struct receipt *receipt);

/** receipt_receive() - master: the same. Return: 1; 0 when there is no template any more, or an
 * empty message; -EAGAIN; -EBADMSG, or another negative errno. */
int receipt_receive(int end, struct receipt *ret);
