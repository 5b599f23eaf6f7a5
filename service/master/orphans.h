/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that a dead worker ran for its requests: with it nobody is left who would end them. */
#pragma once

#include "board/box.h"

struct generation;

/** orphans_kill() - kill the process groups that the box of a worker names which has just died. */
void orphans_kill(const struct box *box);

/** orphans_reap() - where the master takes in orphans (PR_SET_CHILD_SUBREAPER): those that have
 * ended are gone; its own children it hears of elsewhere. */
void orphans_reap(struct generation *generations);
