/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A status of waitpid(2) taken apart. */
#include "request/program.h"

#include <string.h>
#include <sys/wait.h>

void program_add_exit_code(struct record *record, const char *name, const struct program_end *end)
{
        if (end->known && WIFEXITED(end->status))
                record_number(record, name, (uint64_t)WEXITSTATUS(end->status));
}

void program_add_signal(struct record *record, const char *name, const struct program_end *end)
{
        const char *text;

        if (!end->known || !WIFSIGNALED(end->status))
                return;
        text = sigabbrev_np(WTERMSIG(end->status));
        if (text)
                record_string(record, name, text);
        else /* one of the real-time signals */
                record_number(record, name, (uint64_t)WTERMSIG(end->status));
}
