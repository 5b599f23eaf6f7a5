/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A journald for tests of the log: a datagram socket in a temporary folder that gives back what it
 * was sent. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "log/record.h"

/* Above what an unprivileged sender can put into one datagram by default. */
#define ENTRY_MAX (2 << 20)

struct journald {
        char folder[64];
        struct sockaddr_un address;
        int fd;
};

struct entry {
        char *bytes;
        size_t size;
        bool by_file; /* came as a sealed memfd */
};

static inline void journald_listen(struct journald *journald)
{
        journald->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert(journald->fd >= 0);
        assert(bind(journald->fd, (const struct sockaddr *)&journald->address,
                    sizeof(journald->address)) == 0);
}

/* As when both journald and its socket unit are stopped. */
static inline void journald_stop(struct journald *journald)
{
        assert(close(journald->fd) == 0);
        assert(unlink(journald->address.sun_path) == 0);
}

static inline void journald_start(struct journald *journald)
{
        *journald = (struct journald){.folder = "/tmp/appsrv-test-XXXXXX",
                                      .address = {.sun_family = AF_UNIX}};
        assert(mkdtemp(journald->folder));
        (void)snprintf(journald->address.sun_path, sizeof(journald->address.sun_path), "%s/socket",
                       journald->folder);
        assert(setenv("APPSRV_JOURNAL_SOCKET", journald->address.sun_path, 1) == 0);
        journald_listen(journald);
}

/* Another one beside it, for a namespace; to be stopped before the first one is removed. */
static inline void journald_start_namespace(struct journald *journald, const struct journald *main,
                                            const char *name)
{
        *journald = (struct journald){.address = {.sun_family = AF_UNIX}};
        assert((size_t)snprintf(journald->address.sun_path, sizeof(journald->address.sun_path),
                                "%s.%s", main->address.sun_path,
                                name) < sizeof(journald->address.sun_path));
        journald_listen(journald);
}

static inline void witness_path(const struct journald *journald, char path[static 128])
{
        (void)snprintf(path, 128, "%s/io.systemd.journal", journald->folder);
}

/* The file that each start of journald makes anew, while its socket stays with systemd. */
static inline void journald_restart(struct journald *journald)
{
        char path[128], next[160];
        int fd;

        witness_path(journald, path);
        (void)snprintf(next, sizeof(next), "%s.next", path);
        fd = open(next, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        assert(fd >= 0 && close(fd) == 0);
        assert(rename(next, path) == 0);
}

static inline void journald_remove(struct journald *journald)
{
        char path[128];

        witness_path(journald, path);
        (void)unlink(path);
        journald_stop(journald);
        assert(rmdir(journald->folder) == 0);
}

static inline void read_file(struct entry *entry, int file)
{
        const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
        struct stat status;

        assert(fcntl(file, F_GET_SEALS) == seals);
        assert(fstat(file, &status) == 0 && status.st_size < ENTRY_MAX);
        entry->size = (size_t)status.st_size;
        assert(pread(file, entry->bytes, entry->size, 0) == (ssize_t)entry->size);
        entry->by_file = true;
        assert(close(file) == 0);
}

/* The next datagram. Return: whether there was one. */
static inline bool receive_datagram(struct journald *journald, struct entry *ret, int flags)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct entry entry = {.bytes = malloc(ENTRY_MAX)};
        struct iovec room = {.iov_base = entry.bytes, .iov_len = ENTRY_MAX};
        struct msghdr message = {.msg_iov = &room,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        ssize_t n;
        int file;

        assert(entry.bytes);
        n = recvmsg(journald->fd, &message, flags | MSG_CMSG_CLOEXEC);
        if (n < 0) {
                assert(errno == EAGAIN);
                free(entry.bytes);
                return false;
        }
        assert(!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
        entry.size = (size_t)n;
        if (CMSG_FIRSTHDR(&message)) {
                memcpy(&file, CMSG_DATA(&control.header), sizeof(file));
                read_file(&entry, file);
        }
        *ret = entry;
        return true;
}

static inline void entry_free(struct entry *entry)
{
        free(entry->bytes);
        entry->bytes = NULL;
}

/* The next entry, to be freed with entry_free(); empty datagrams are none, as to journald. @flags:
 * MSG_DONTWAIT for one that must be there. Return: whether there was one. */
static inline bool journald_receive(struct journald *journald, struct entry *ret, int flags)
{
        while (receive_datagram(journald, ret, flags)) {
                if (ret->size > 0)
                        return true;
                entry_free(ret);
        }
        return false;
}

/* How often a field occurs; @ret: the first one. */
static inline unsigned entry_find(const struct entry *entry, const char *name,
                                  struct record_field *ret)
{
        const char *cursor = entry->bytes;
        struct record_field field;
        size_t name_size;
        unsigned n = 0;
        int r;

        while ((r = record_next_field(&cursor, entry->bytes + entry->size, &field, &name_size)) >
               0) {
                if (name_size != strlen(name) || memcmp(field.name, name, name_size) != 0)
                        continue;
                if (n == 0)
                        *ret = field;
                n++;
        }
        assert(r == 0);
        return n;
}

/* Whether a field is there once, with this value. */
static inline bool entry_has(const struct entry *entry, const char *name, const char *value)
{
        struct record_field field;

        return entry_find(entry, name, &field) == 1 && field.size == strlen(value) &&
               memcmp(field.value, value, field.size) == 0;
}

static inline uint64_t entry_number(const struct entry *entry, const char *name)
{
        struct record_field field;
        char digits[24] = "";

        assert(entry_find(entry, name, &field) == 1 && field.size < sizeof(digits));
        memcpy(digits, field.value, field.size);
        return strtoull(digits, NULL, 10);
}
