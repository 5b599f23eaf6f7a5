/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The balance between workers: whether another one should take the next connection.
 *
 * It is the turn of who has clearly fewer connections, and otherwise of who has accepted the
 * fewest: the first spreads connections that stay, the second those that come and go. Who has more
 * than we is waited for only when it has accepted far fewer. One that is being relieved of
 * connections (relief.h) comes after all others. One that steps back hardly counts meanwhile, so
 * that there is always one whose turn it is. Nor does one that did not come when it was its turn
 * (it may be hung), until it accepts again. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"

struct balance;

/** balance_new() - @board, @own: borrowed. Return: ended with balance_free(); NULL: no memory. */
struct balance *balance_new(struct board *board, struct board_slot *own);

/** balance_free() - accepts NULL. */
void balance_free(struct balance *balance);

/** balance_ahead() - whether it is the turn of another one. */
bool balance_ahead(const struct balance *balance);

/** balance_step_back() - leave the next connection to those whose turn it is. */
void balance_step_back(struct balance *balance);

/** balance_return() - take part again. @left: the connection was left; who should have taken it
 * and did not move does not count until it does. */
void balance_return(struct balance *balance, bool left);

/** balance_count() - a connection was accepted. */
void balance_count(struct balance *balance);
