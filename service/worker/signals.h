/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals that a worker is sent. */
#pragma once

/**
 * signals_take() - SIGTERM makes a descriptor readable; what a terminal sends to all of its
 * foreground does nothing, the master decides what it means
 *
 * Return: the descriptor, an eventfd that is open as long as the process lives: a signal may come
 * at any time; or a negative errno.
 */
int signals_take(void);
