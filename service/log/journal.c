/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender of journald's native protocol: a connected, non-blocking datagram socket; a sealed
 * memfd for what is too large for it. */
#include "log/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* With the default of 212,992 bytes the sender's own buffer is full after 278 records of 100 bytes,
 * before journald's queue of 512 datagrams is (measured); libsystemd asks for the same 8 MiB. */
#define SEND_BUFFER_SIZE (8 << 20)

#define RECONNECT_USEC (100 * USEC_PER_MSEC)

/* The environment variable is for tests: a socket that plays journald. */
static const char *socket_path(void)
{
        const char *path = getenv("APPSRV_JOURNAL_SOCKET");

        return path ? path : JOURNAL_SOCKET;
}

bool journal_present(void)
{
        return access(socket_path(), F_OK) == 0;
}

void journal_init(struct journal *journal)
{
        *journal = (struct journal){.fd = -1};
}

void journal_close(struct journal *journal)
{
        close_descriptor(&journal->fd);
        journal->fd = -1;
}

static int connect_socket(void)
{
        const char *path = socket_path();
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const int buffer = SEND_BUFFER_SIZE;
        _cleanup_close_ int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* The kernel grants as much as it may: SNDBUFFORCE needs a capability that the service does
         * not have. */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Return: 0 when connected, -EAGAIN when not now. */
static int ensure_connected(struct journal *journal)
{
        uint64_t now;

        if (journal->fd >= 0)
                return 0;
        now = now_usec();
        if (now < journal->retry_after)
                return -EAGAIN;
        journal->fd = connect_socket();
        if (journal->fd >= 0)
                return 0;
        journal->fd = -1;
        journal->retry_after = now + RECONNECT_USEC;
        return -EAGAIN;
}

/* journald takes a file only when nobody can change it any more. */
static int sealed_copy(const void *record, size_t size)
{
        _cleanup_close_ int fd = memfd_create("appsrv-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const char *from = record;

        if (fd < 0)
                return -errno;
        while (size > 0) {
                ssize_t n = write(fd, from, size);

                if (n < 0)
                        return -errno;
                from += n;
                size -= (size_t)n;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Return: 0, or a negative errno of sendmsg(2). */
static int send_as_file(int fd, const void *record, size_t size)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.bytes = {0}};
        struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control.bytes)};
        _cleanup_close_ int file = sealed_copy(record, size);

        if (file < 0)
                return file;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static bool connection_lost(int error)
{
        return error == -ECONNREFUSED || error == -ENOTCONN || error == -ECONNRESET ||
               error == -EPIPE || error == -ENOENT;
}

/* The path is not open now; these say so and are no judgement on the record. */
static bool try_later(int error)
{
        return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -EINTR ||
               error == -EMFILE || error == -ENFILE || error == -ETOOMANYREFS;
}

int journal_send(struct journal *journal, const void *record, size_t size)
{
        int r = ensure_connected(journal);

        if (r < 0)
                return r;
        r = send(journal->fd, record, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
        if (r == -EMSGSIZE || r == -ENOBUFS)
                r = send_as_file(journal->fd, record, size);
        if (connection_lost(r)) {
                journal_close(journal);
                journal->retry_after = now_usec() + RECONNECT_USEC;
                return -EAGAIN;
        }
        return try_later(r) ? -EAGAIN : r;
}

void journal_wait_read(const struct journal *journal, uint64_t timeout_usec)
{
        uint64_t end = now_usec() + timeout_usec;
        int unread = 0;

        /* The kernel counts the bytes that the receiver has not taken; there is nothing to poll for
         * their end. */
        while (journal->fd >= 0 && ioctl(journal->fd, SIOCOUTQ, &unread) == 0 && unread > 0 &&
               now_usec() < end)
                (void)poll(NULL, 0, 1);
}
