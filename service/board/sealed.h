/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared memory as a file without a name whose size can never change: whoever gets its descriptor
 * and has read the size once is safe from SIGBUS, whatever the others do. Any thread.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/** sealed_new() - make one of @size zero bytes. @name: for people, in /proc/PID/maps. Return: its
 * descriptor, or a negative errno. */
int sealed_new(const char *name, uint64_t size);

/** sealed_size() - its size; -EBADMSG when @fd is no such file, or another negative errno. */
off_t sealed_size(int fd);
