/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's pattern, as far as it says the same of every process that dies of a signal. */
#include "master/core.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATTERN_FILE  "/proc/sys/kernel/core_pattern"
#define USES_PID_FILE "/proc/sys/kernel/core_uses_pid"
#define SYSTEMD_FILE  "/run/systemd/coredump"

/* The kernel's own limit. */
#define PATTERN_MAX 256

/* Where it may not be read, such as in a unit with ProcSubset=pid. */
static const char default_pattern[] = "core";

static bool is_systemds(const struct core_facts *facts)
{
        if (!facts->pattern)
                return facts->systemd;
        return strstr(facts->pattern, "systemd") && strstr(facts->pattern, "coredump");
}

/* To a program or a socket of somebody else's. */
static bool is_handed_over(const char *pattern)
{
        return pattern[0] == '|' || pattern[0] == '@';
}

/* Return: whether all of it could be told; what depends on the moment of the death cannot. */
static bool expand(char path[static PATH_MAX], const char *pattern, const struct core_facts *facts)
{
        bool has_pid = false;
        size_t n = 0;

        for (const char *at = pattern; *at && n + 16 < PATH_MAX; at++) {
                int number = facts->pid;

                if (*at != '%' || at[1] == '%' || at[1] == '\0') {
                        at += *at == '%' && at[1] == '%';
                        path[n++] = *at;
                        continue;
                }
                at++;
                if (*at != 'p' && *at != 's')
                        return false;
                has_pid |= *at == 'p';
                if (*at == 's')
                        number = facts->signal;
                n += (size_t)snprintf(path + n, PATH_MAX - n, "%d", number);
        }
        path[n] = '\0';
        if (!has_pid && facts->uses_pid)
                (void)snprintf(path + n, PATH_MAX - n, ".%d", facts->pid);
        return true;
}

/* Return: whether it is there. */
static bool name_file(char name[static CORE_NAME_MAX], const struct core_facts *facts,
                      const char *path)
{
        char whole[2 * PATH_MAX];

        if (path[0] == '/')
                (void)snprintf(whole, sizeof(whole), "%s", path);
        else
                (void)snprintf(whole, sizeof(whole), "%s/%s",
                               strcmp(facts->folder, "/") == 0 ? "" : facts->folder, path);
        if (strlen(whole) >= CORE_NAME_MAX || access(whole, F_OK) < 0)
                return false;
        memcpy(name, whole, strlen(whole) + 1);
        return true;
}

void core_name(char name[static CORE_NAME_MAX], const struct core_facts *facts)
{
        const char *pattern = facts->pattern ? facts->pattern : default_pattern;
        char path[PATH_MAX];

        name[0] = '\0';
        if (is_systemds(facts)) {
                (void)snprintf(name, CORE_NAME_MAX, "coredumpctl info %d", facts->pid);
                return;
        }
        if (is_handed_over(pattern)) {
                (void)snprintf(name, CORE_NAME_MAX, "handed to %.*s",
                               (int)strcspn(pattern + 1, " "), pattern + 1);
                return;
        }
        if (!expand(path, pattern, facts)) {
                (void)snprintf(name, CORE_NAME_MAX, "%s", pattern);
                return;
        }
        if (!name_file(name, facts, path) && facts->pattern)
                (void)snprintf(name, CORE_NAME_MAX, "%.*s", CORE_NAME_MAX - 1, path);
}

/* The first line. Return: whether it could be read. */
static bool read_line(const char *file, char *line, size_t size)
{
        FILE *stream = fopen(file, "re");
        bool read = stream && fgets(line, (int)size, stream);

        if (stream)
                (void)fclose(stream);
        if (read)
                line[strcspn(line, "\n")] = '\0';
        return read;
}

void core_find(char name[static CORE_NAME_MAX], pid_t pid, int signal)
{
        char pattern[PATTERN_MAX], uses_pid[8] = "0";
        _cleanup_free_ char *folder = getcwd(NULL, 0);
        bool known = read_line(PATTERN_FILE, pattern, sizeof(pattern));

        (void)read_line(USES_PID_FILE, uses_pid, sizeof(uses_pid));
        core_name(name, &(struct core_facts){
                                .pid = pid,
                                .signal = signal,
                                .pattern = known ? pattern : NULL,
                                .uses_pid = uses_pid[0] != '0',
                                .systemd = access(SYSTEMD_FILE, F_OK) == 0,
                                .folder = folder ? folder : "",
                        });
}
