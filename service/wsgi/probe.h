/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the GIL can be had, found out by a thread that takes it, so that those who ask need not
 * wait for it. */
#pragma once

#include <stdbool.h>

/**
 * probe_waits() - ask, in one thread at a time
 *
 * Return: whether the thread waits for the GIL since it was asked before; else it is asked to take
 * it. The first call begins the thread, so there is none in a process that workers are forked from.
 */
bool probe_waits(void);

/** probe_end() - when nobody asks any more: wait for the end of the thread. Without the GIL. */
void probe_end(void);
