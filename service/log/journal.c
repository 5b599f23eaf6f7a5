/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender of journald's native protocol: a connected, non-blocking datagram socket; a sealed
 * memfd for what is too large for it. */
#include "log/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define JOURNAL_FOLDER "/run/systemd/journal"
#define SOCKET_NAME    "/socket"

/* journald's own interface for journalctl: unlike the sockets that systemd holds for it, it is
 * bound anew with each start. */
#define WITNESS_NAME "/io.systemd.journal"

/* With the default of 212,992 bytes the sender's own buffer is full after 278 records of 100 bytes,
 * before journald's queue of 512 datagrams is (measured); libsystemd asks for the same 8 MiB. */
#define SEND_BUFFER_SIZE (8 << 20)

#define RECONNECT_USEC (100 * USEC_PER_MSEC)

/* The environment variable is for tests: the socket of something that plays journald. */
static const char *test_socket(void)
{
        return getenv("APPSRV_JOURNAL_SOCKET");
}

bool journal_present(void)
{
        const char *path = test_socket();

        return access(path ? path : JOURNAL_FOLDER SOCKET_NAME, F_OK) == 0;
}

/* A path that does not fit stays empty, and cannot be connected to. */
static void set_path(char path[static 108], const char *folder, size_t folder_size,
                     const char *name_space, const char *name)
{
        int n = snprintf(path, 108, "%.*s%s%s%s", (int)folder_size, folder, *name_space ? "." : "",
                         name_space, name);

        if (n < 0 || n >= 108)
                path[0] = '\0';
}

void journal_init(struct journal *journal, const char *name_space)
{
        const char *path = test_socket();
        const char *slash = path ? strrchr(path, '/') : NULL;

        *journal = (struct journal){.fd = -1};
        if (!slash) {
                set_path(journal->socket, JOURNAL_FOLDER, strlen(JOURNAL_FOLDER), name_space,
                         SOCKET_NAME);
                set_path(journal->witness, JOURNAL_FOLDER, strlen(JOURNAL_FOLDER), name_space,
                         WITNESS_NAME);
                return;
        }
        set_path(journal->socket, path, strlen(path), name_space, "");
        set_path(journal->witness, path, (size_t)(slash - path), "", WITNESS_NAME);
}

void journal_close(struct journal *journal)
{
        close_descriptor(&journal->fd);
        journal->fd = -1;
}

static int connect_socket(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const int buffer = SEND_BUFFER_SIZE;
        _cleanup_close_ int fd = -1;

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

/* A file system in memory does not give an inode's number again. */
static uint64_t instance_of(const char *witness)
{
        struct stat found;

        return stat(witness, &found) < 0 ? 0 : (uint64_t)found.st_ino;
}

bool journal_restarted(struct journal *journal)
{
        uint64_t before = journal->instance;
        uint64_t now = instance_of(journal->witness);

        /* While it is starting, nothing is there. */
        if (now == 0)
                return false;
        journal->instance = now;
        return before != 0 && before != now;
}

static int lost_connection(struct journal *journal)
{
        journal_close(journal);
        journal->retry_after = now_usec() + RECONNECT_USEC;
        journal->instance = 0;
        return -ENOTCONN;
}

/* Return: 0 when connected, -ENOTCONN when not now. */
static int ensure_connected(struct journal *journal)
{
        if (journal->fd >= 0)
                return 0;
        if (now_usec() < journal->retry_after)
                return -ENOTCONN;
        journal->fd = connect_socket(journal->socket);
        if (journal->fd < 0)
                return lost_connection(journal);
        /* Else the next question tells whether it is still the one that it was. */
        if (journal->instance == 0)
                (void)journal_restarted(journal);
        return 0;
}

/* journald takes a file only when nobody can change it any more. */
static int sealed_copy(const struct iovec parts[static 2])
{
        _cleanup_close_ int fd = memfd_create("appsrv-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        for (size_t i = 0; i < 2; i++) {
                const char *from = parts[i].iov_base;
                size_t left = parts[i].iov_len;

                while (left > 0) {
                        ssize_t n = write(fd, from, left);

                        if (n < 0)
                                return -errno;
                        from += n;
                        left -= (size_t)n;
                }
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* Return: 0, or a negative errno of sendmsg(2). */
static int send_as_file(int fd, const struct iovec parts[static 2])
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.bytes = {0}};
        struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control.bytes)};
        _cleanup_close_ int file = sealed_copy(parts);

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

static int send_parts(struct journal *journal, struct iovec parts[static 2])
{
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        int r = sendmsg(journal->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;

        if (r != -EMSGSIZE && r != -ENOBUFS)
                return r;
        r = send_as_file(journal->fd, parts);
        if (r == 0)
                journal->in_files += parts[0].iov_len + parts[1].iov_len;
        return r;
}

/* sendmsg(2) does not change what it is given to send, though its types do not say so. */
static struct iovec part(const void *bytes, size_t size)
{
        union {
                const void *constant;
                void *base;
        } from = {.constant = bytes};

        return (struct iovec){.iov_base = from.base, .iov_len = size};
}

int journal_send(struct journal *journal, const void *record, size_t size, const char *more,
                 size_t more_size)
{
        struct iovec parts[2] = {part(record, size), part(more, more_size)};
        int r = ensure_connected(journal);

        if (r < 0)
                return r;
        r = send_parts(journal, parts);
        if (connection_lost(r))
                return lost_connection(journal);
        return try_later(r) ? -EAGAIN : r;
}

/* The kernel counts, beside the bytes of each datagram, what it costs to keep it, but not what is
 * in a file. */
size_t journal_unread(struct journal *journal)
{
        int unread = 0;

        if (journal->fd >= 0 && ioctl(journal->fd, SIOCOUTQ, &unread) == 0 && unread > 0)
                return (size_t)unread + journal->in_files;
        journal->in_files = 0;
        return 0;
}

/* Nothing but sending tells. An empty datagram is ignored by journald (252 and 257); one that finds
 * the queue full has found it alive. */
bool journal_alive(struct journal *journal)
{
        int r;

        if (ensure_connected(journal) < 0)
                return false;
        r = send(journal->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
        if (!connection_lost(r))
                return true;
        (void)lost_connection(journal);
        return false;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

bool journal_wait_read(struct journal *journal, uint64_t timeout_usec)
{
        uint64_t now = now_usec(), end = now + timeout_usec;
        uint64_t limit = now + JOURNAL_PATIENCE * timeout_usec;
        size_t least = SIZE_MAX, unread;

        if (journal->fd < 0)
                return false;
        while ((unread = journal_unread(journal)) > 0 && now_usec() < end) {
                if (unread < least)
                        end = earlier(now_usec() + timeout_usec, limit);
                least = unread;
                (void)poll(NULL, 0, 1); /* there is nothing to wait for the end of it with */
        }
        return journal_unread(journal) == 0 && journal_alive(journal);
}
