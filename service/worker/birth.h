/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every process that the master supervises does first, whoever forked it. */
#pragma once

#include <sys/types.h>

/**
 * birth() - become a process of the master's
 * @master: whose child it is by now; with him it is told to end (SIGTERM)
 * @name:   for ps(1); 15 bytes of it
 * @prints: write ends of the pipes that become its standard output and error; still the caller's
 *
 * Return: 0; -ESRCH when the master is dead already, or another negative errno.
 */
int birth(pid_t master, const char *name, const int prints[static 2]);
