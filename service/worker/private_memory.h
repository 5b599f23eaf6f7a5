/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that would be free if this process ended: anonymous, and shared with nobody. */
#pragma once

#include <stdint.h>

/** private_memory() - of the calling process, in bytes; 0 when the kernel does not say. Takes some
 * ms where it is large. */
uint64_t private_memory(void);

/** private_memory_statm() - out of the text of /proc/PID/statm: anonymous memory, some of which may
 * be shared with a parent. */
uint64_t private_memory_statm(const char *text, uint64_t page_size);

/** private_memory_rollup() - out of that of /proc/PID/smaps_rollup: Private_Clean and
 * Private_Dirty; UINT64_MAX when it has neither. */
uint64_t private_memory_rollup(const char *text);
