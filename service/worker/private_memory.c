/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Out of /proc/self: the smaller one of two numbers, each of which counts something too much. */
#include "worker/private_memory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

/* The rollup has some 25 lines. */
#define TEXT_MAX 4096

static void read_text(const char *path, char text[static TEXT_MAX])
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

        text[size > 0 ? size : 0] = '\0';
}

/* Return: whether there is a decimal number behind blanks; @at is behind it then. */
static bool read_number(const char **at, uint64_t *ret)
{
        const char *start = *at + strspn(*at, " ");
        size_t length = strspn(start, "0123456789");
        char digits[NUMBER_TEXT_MAX];

        (void)snprintf(digits, sizeof(digits), "%.*s", (int)length, start);
        *at = start + length;
        return parse_number(digits, ret) == 0;
}

uint64_t private_memory_statm(const char *text, uint64_t page_size)
{
        uint64_t size, resident, shared;

        if (!read_number(&text, &size) || !read_number(&text, &resident) ||
            !read_number(&text, &shared) || shared > resident)
                return 0;
        return (resident - shared) * page_size;
}

/* Return: whether @text has a line "@name   N kB". */
static bool find_line(const char *text, const char *name, uint64_t *ret)
{
        const char *at = strstr(text, name);
        uint64_t kilobytes;

        if (!at)
                return false;
        at += strlen(name);
        if (!read_number(&at, &kilobytes))
                return false;
        *ret = kilobytes << 10;
        return true;
}

uint64_t private_memory_rollup(const char *text)
{
        uint64_t clean, dirty;

        if (!find_line(text, "\nPrivate_Clean:", &clean) ||
            !find_line(text, "\nPrivate_Dirty:", &dirty))
                return UINT64_MAX;
        return clean + dirty;
}

/* The first counts what is still shared with the process that forked this one, the second what is
 * mapped of files and of shared memory. */
uint64_t private_memory(void)
{
        char text[TEXT_MAX];
        uint64_t anonymous, alone;

        read_text("/proc/self/statm", text);
        anonymous = private_memory_statm(text, (uint64_t)sysconf(_SC_PAGESIZE));
        read_text("/proc/self/smaps_rollup", text);
        alone = private_memory_rollup(text);
        return alone < anonymous ? alone : anonymous;
}
