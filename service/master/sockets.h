/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listening sockets as the master takes them: told of in the log, to systemd, and to who typed
 * the command. */
#pragma once

#include "log/log.h"
#include "master/listen.h"
#include "master/master.h"

/** sockets_take() - take those that systemd passed and open the others. Return: an exit_code; what
 * is wrong was told. */
int sockets_take(struct listeners *listeners, const struct master_options *options,
                 struct log *log);

/** sockets_announce() - where nobody sees the records, a person who typed the command is told where
 * they are. */
void sockets_announce(const struct listeners *listeners, const struct master_options *options,
                      struct log *log);
