/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the process of a program ended that ran for a request, as fields of a record. Pure. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "log/record.h"

/* All zero: none ran. */
struct program_end {
        pid_t pid;
        bool known; /* it was waited for */
        int status; /* as of waitpid(2) */
};

/** program_add_exit_code() - with what it ended; nothing of one that was killed, or goes on. */
void program_add_exit_code(struct record *record, const char *name, const struct program_end *end);

/** program_add_signal() - "KILL"; nothing of one that ended by itself, or goes on. */
void program_add_signal(struct record *record, const char *name, const struct program_end *end);
