/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The receiving end of the workers' notifications. */
#include "master/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

#define SOCKET_NAME "/notify"

/* More descriptors than any sender of ours passes along; a plug-in could, and they would leak. */
#define DESCRIPTORS_MAX 64

/* A folder that only we can enter. @path: gets it. */
static int choose_folder(char *path, size_t size, bool *ret_own)
{
        const char *runtime = getenv("RUNTIME_DIRECTORY");
        const char *base = getenv("XDG_RUNTIME_DIR");
        int n;

        if (runtime && *runtime) {
                /* A list when the unit names several: the first one is ours. */
                n = snprintf(path, size, "%.*s", (int)strcspn(runtime, ":"), runtime);
                return n >= (int)size ? -ENAMETOOLONG : 0;
        }
        if (!base || !*base || access(base, W_OK) < 0)
                base = "/tmp";
        n = snprintf(path, size, "%s/appsrv-XXXXXX", base);
        if (n >= (int)size)
                return -ENAMETOOLONG;
        if (!mkdtemp(path))
                return -errno;
        *ret_own = true;
        return 0;
}

static int bind_socket(const struct sockaddr_un *address)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return -errno;
        /* What a killed predecessor left: nobody but us has this folder. */
        (void)unlink(address->sun_path);
        if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int notify_listen(struct notify *notify)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t room = sizeof(address.sun_path) - sizeof(SOCKET_NAME) + 1;
        bool own = false;
        int r;

        r = choose_folder(address.sun_path, room, &own);
        if (r < 0)
                return r;
        memcpy(address.sun_path + strlen(address.sun_path), SOCKET_NAME, sizeof(SOCKET_NAME));
        r = bind_socket(&address);
        memcpy(notify->path, address.sun_path, sizeof(notify->path));
        notify->own_folder = own;
        notify->fd = r < 0 ? -1 : r;
        if (r < 0)
                notify_close(notify);
        return r < 0 ? r : 0;
}

void notify_close(struct notify *notify)
{
        char *slash = strrchr(notify->path, '/');

        close_descriptor(&notify->fd);
        notify->fd = -1;
        if (!slash)
                return;
        (void)unlink(notify->path);
        *slash = '\0';
        if (notify->own_folder)
                (void)rmdir(notify->path);
        notify->path[0] = '\0';
}

/* Return: the sender's pid; 0 when the kernel did not say it. */
static pid_t sender_of(struct msghdr *message)
{
        struct ucred credentials = {0};

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
             header = CMSG_NXTHDR(message, header)) {
                size_t size = header->cmsg_len - CMSG_LEN(0);

                if (header->cmsg_level != SOL_SOCKET)
                        continue;
                if (header->cmsg_type == SCM_CREDENTIALS && size == sizeof(credentials))
                        memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
                for (size_t i = 0; header->cmsg_type == SCM_RIGHTS && i < size / sizeof(int); i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
                        (void)close(fd);
                }
        }
        return credentials.pid;
}

/* @text: "max_requests 12345678", the reason and the memory. */
static void parse_wear(struct notification *ret, const char *text)
{
        for (int reason = WEAR_NONE + 1; reason < WEAR_REASONS_MAX; reason++) {
                const char *name = wear_reason_name((enum wear_reason)reason);
                size_t length = strlen(name);

                if (strncmp(text, name, length) == 0 && text[length] == ' ' &&
                    parse_number(text + length + 1, &ret->worn_memory) == 0)
                        ret->worn = (enum wear_reason)reason;
        }
}

void notification_parse(struct notification *ret, size_t size)
{
        char *save = NULL;

        ret->ready = ret->stopping = ret->beat = false;
        ret->extend_usec = 0;
        ret->worn = WEAR_NONE;
        ret->status = NULL;
        ret->text[size < sizeof(ret->text) ? size : sizeof(ret->text) - 1] = '\0';
        for (char *line = strtok_r(ret->text, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
                if (strcmp(line, "READY=1") == 0)
                        ret->ready = true;
                else if (strcmp(line, "STOPPING=1") == 0)
                        ret->stopping = true;
                else if (strcmp(line, "WATCHDOG=1") == 0)
                        ret->beat = true;
                else if (strncmp(line, "EXTEND_TIMEOUT_USEC=", 20) == 0)
                        (void)parse_number(line + 20, &ret->extend_usec);
                else if (strncmp(line, "X_APPSRV_WORN=", 14) == 0)
                        parse_wear(ret, line + 14);
                else if (strncmp(line, "STATUS=", 7) == 0)
                        ret->status = line + 7;
        }
}

int notify_receive(const struct notify *notify, struct notification *ret)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(struct ucred)) +
                           CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        } control;
        struct iovec text = {.iov_base = ret->text, .iov_len = sizeof(ret->text) - 1};
        struct msghdr message = {
                .msg_iov = &text,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control.bytes),
        };
        ssize_t size;

        size = recvmsg(notify->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return 0;
        ret->pid = sender_of(&message);
        if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                ret->pid = 0;
        notification_parse(ret, (size_t)size);
        return 1;
}
