/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line "oom_kill N": of memory.events, or where version 1 of control groups is still in use, of
 * memory.oom_control. */
#include "master/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"

#define TEXT_MAX 4096

static void read_text(const char *path, char text[static TEXT_MAX])
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

        text[size > 0 ? size : 0] = '\0';
}

static uint64_t read_count(const struct oom *oom)
{
        static const char name[] = "oom_kill ";
        char text[TEXT_MAX];
        const char *line = text;
        uint64_t count;

        if (!oom->path[0])
                return 0;
        read_text(oom->path, text);
        while (line && strncmp(line, name, strlen(name)) != 0) {
                line = strchr(line, '\n');
                line += line != NULL;
        }
        if (!line)
                return 0;
        line += strlen(name);
        text[(size_t)(line - text) + strcspn(line, "\n")] = '\0';
        return parse_number(line, &count) == 0 ? count : 0;
}

/* @prefix: of its line in @groups, in front of the path below @root. */
static bool choose(struct oom *oom, const char *groups, const char *prefix, const char *root,
                   const char *file)
{
        const char *line = strstr(groups, prefix);
        const char *path = line ? line + strlen(prefix) : "";
        int n = snprintf(oom->path, sizeof(oom->path), "%s%.*s/%s", root, (int)strcspn(path, "\n"),
                         path, file);

        return line && n < (int)sizeof(oom->path) && access(oom->path, R_OK) == 0;
}

void oom_begin(struct oom *oom, const char *groups, const char *root, uint64_t now)
{
        char first[OOM_PATH_MAX];

        *oom = (struct oom){.counted_usec = now};
        (void)snprintf(first, sizeof(first), "%s/memory", root);
        if (!choose(oom, groups, "0::", root, "memory.events") &&
            !choose(oom, groups, ":memory:", first, "memory.oom_control"))
                oom->path[0] = '\0';
        oom->claimed = oom->counted = read_count(oom);
}

void oom_begin_self(struct oom *oom)
{
        char groups[TEXT_MAX];

        read_text("/proc/self/cgroup", groups);
        oom_begin(oom, groups, "/sys/fs/cgroup", now_usec());
}

void oom_turn(struct oom *oom, uint64_t now)
{
        uint64_t count = read_count(oom);

        if (count != oom->counted) {
                oom->counted = count;
                oom->counted_usec = now;
        }
        if (now - oom->counted_usec > OOM_PATIENCE_USEC)
                oom->claimed = count;
}

bool oom_claim(struct oom *oom, uint64_t now)
{
        oom_turn(oom, now);
        if (oom->counted <= oom->claimed)
                return false;
        oom->claimed++;
        return true;
}
