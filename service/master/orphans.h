/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that a dead worker ran for its requests: with it nobody is left who would end them. */
#pragma once

#include <systemd/sd-event.h>

#include "board/box.h"

struct generation;

/** orphans_kill() - kill the programs that the box of a worker names which has just died, with all
 * that descends from them. */
void orphans_kill(const struct box *box);

/** orphans_reap() - where the master takes in orphans (PR_SET_CHILD_SUBREAPER): those that have
 * ended are gone; its own children it hears of elsewhere. */
void orphans_reap(struct generation *generations);

/**
 * orphans_take_in() - from now on who loses its parent is the master's child, and waited for: a
 * worker sees there whom its programs have left behind
 *
 * SIGCHLD is blocked. Return: 0, or a negative errno.
 */
int orphans_take_in(sd_event *event, struct generation **generations);
