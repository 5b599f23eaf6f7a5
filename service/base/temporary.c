/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* O_TMPFILE (open(2)): nothing is left of it when the last descriptor is closed. */
#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* On a disk rather than in memory, where there is one; both are the service's own (PrivateTmp=). */
static const char *const folders[] = {"/var/tmp", "/tmp"};

int temporary_file(void)
{
        int fd = -1;

        for (size_t i = 0; fd < 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
                fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
        return fd < 0 ? -errno : fd;
}
