/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A memfd, sealed against shrinking and growing. */
#include "board/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int sealed_new(const char *name, uint64_t size)
{
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        return TAKE_FD(fd);
}

off_t sealed_size(int fd)
{
        struct stat status;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0)
                return errno == EINVAL ? -EBADMSG : -errno;
        if (!(seals & F_SEAL_SHRINK))
                return -EBADMSG;
        return fstat(fd, &status) < 0 ? -errno : status.st_size;
}
