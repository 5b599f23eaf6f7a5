/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The window's socket and what is passed through it. */
#include "master/window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "board/board.h"
#include "board/box.h"
#include "master/generation.h"
#include "master/listen.h"
#include "master/recover.h"
#include "master/status.h"

#define WAITING_MAX 16

/* Room for the messages of two generations of 256 workers, where net.core.wmem_max allows it. */
#define BUFFER_SIZE (1 << 20)

/* Whoever connects all the time must not keep the master from its work. */
#define LOOKS_MAX           20
#define LOOKS_INTERVAL_USEC USEC_PER_SEC

/* -- showing -- */

/* The same file, for reading only. */
static int reopen(int fd)
{
        char path[32];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = open(path, O_RDONLY | O_CLOEXEC);
        return r < 0 ? -errno : r;
}

static int show(int viewer, struct window_message *message, int fd)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {.cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS,
                                .cmsg_len = CMSG_LEN(sizeof(int))}};
        struct iovec data = {.iov_base = message, .iov_len = sizeof(*message)};
        const struct msghdr header = {.msg_iov = &data,
                                      .msg_iovlen = 1,
                                      .msg_control = &control,
                                      .msg_controllen = sizeof(control)};
        _cleanup_close_ int readable = reopen(fd);

        if (readable < 0)
                return readable;
        memcpy(message->magic, WINDOW_MAGIC, sizeof(message->magic));
        message->version = WINDOW_VERSION;
        memcpy(CMSG_DATA(&control.header), &readable, sizeof(readable));
        return sendmsg(viewer, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void describe_serving(struct window_message *message, const struct window_scene *scene)
{
        const struct generation *generation = *scene->generations;
        struct status_sample sample = {0};

        while (generation && generation->phase != GENERATION_SERVING)
                generation = generation->next;
        if (generation) {
                status_wanted(&sample, &generation->scale);
                message->generation = generation->number;
                message->n_restarts = generation->n_restarts;
        }
        message->n_wanted = sample.wanted;
        message->n_least = sample.least;
        message->n_most = sample.most;
}

static int show_master(int viewer, const struct window_scene *scene)
{
        const struct box_identity *identity = &scene->box->header->identity;
        struct window_message message = {
                .kind = WINDOW_MASTER,
                .pid = getpid(),
                .n_recoveries = scene->recoveries->n,
                .backlog = listen_backlog(scene->listeners),
                .started_usec = atomic_load(&identity->started_usec),
                .reload = *scene->reload,
        };

        describe_serving(&message, scene);
        for (const struct generation *generation = *scene->generations; generation;
             generation = generation->next)
                message.n_following += 1 + generation_processes(generation);
        return show(viewer, &message, scene->box->fd);
}

static int show_process(int viewer, const struct child *child)
{
        struct window_message message = {
                .kind = child_is_template(child) ? WINDOW_TEMPLATE : WINDOW_WORKER,
                .pid = child->subject.worker_pid,
                .generation = child->subject.generation,
                .worker_id = child->subject.worker_id,
                .state = child->state,
                .slot = child->slot,
                .n_restarts = child->n_earlier,
                .started_usec = child->spawned_usec,
        };

        return show(viewer, &message, child->stored.box->fd);
}

static int show_generation(int viewer, const struct generation *generation)
{
        struct window_message message = {.kind = WINDOW_BOARD, .generation = generation->number};
        int r = show(viewer, &message, board_fd(generation->board));

        for (size_t i = 0; r == 0 && i < generation->n_children; i++)
                if (generation->children[i].state != WORKER_EMPTY)
                        r = show_process(viewer, &generation->children[i]);
        if (r == 0 && generation->preload && generation->preload->template.state != WORKER_EMPTY)
                r = show_process(viewer, &generation->preload->template);
        return r;
}

/* As far as there is room: the viewer knows how much there is. */
static void show_all(int viewer, const struct window_scene *scene)
{
        int r = show_master(viewer, scene);

        for (const struct generation *generation = *scene->generations; r == 0 && generation;
             generation = generation->next)
                r = show_generation(viewer, generation);
        (void)shutdown(viewer, SHUT_WR);
}

/* -- viewers come and go -- */

/* Or has closed its end, which is the same to us. */
static bool has_read_all(int viewer)
{
        int unread = 0;

        return ioctl(viewer, SIOCOUTQ, &unread) < 0 || unread == 0;
}

static void forget_served(struct window *window)
{
        size_t n = 0;

        for (size_t i = 0; i < window->n_viewers; i++) {
                if (has_read_all(window->viewers[i]))
                        close_descriptor(&window->viewers[i]);
                else
                        window->viewers[n++] = window->viewers[i];
        }
        window->n_viewers = n;
}

static int on_viewer(sd_event_source *source, int fd, uint32_t events, void *data)
{
        struct window *window = data;
        _cleanup_close_ int viewer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        const int size = BUFFER_SIZE;

        (void)source;
        (void)events;
        if (viewer < 0)
                return 0;
        forget_served(window);
        if (window->n_viewers == WINDOW_VIEWERS_MAX)
                return 0;
        (void)setsockopt(viewer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        show_all(viewer, &window->scene);
        window->viewers[window->n_viewers++] = TAKE_FD(viewer);
        return 0;
}

/* -- beginning and end -- */

static int listen_at(const char *path)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, path, strlen(path) + 1);
        /* What a killed predecessor left: nobody but us has this folder. */
        (void)unlink(path);
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        if (listen(fd, WAITING_MAX) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int watch(struct window *window, sd_event *event)
{
        int r = sd_event_add_io(event, &window->source, window->fd, EPOLLIN, on_viewer, window);

        /* A reload that was asked for before somebody looks is under way when he does. */
        if (r >= 0)
                r = sd_event_source_set_priority(window->source, SD_EVENT_PRIORITY_NORMAL + 1);
        return r < 0 ? r
                     : sd_event_source_set_ratelimit(window->source, LOOKS_INTERVAL_USEC,
                                                     LOOKS_MAX);
}

int window_open(struct window *window, const struct window_scene *scene, sd_event *event,
                const char *neighbour)
{
        int folder = (int)(strrchr(neighbour, '/') - neighbour);
        int n = snprintf(window->path, sizeof(window->path), "%.*s/%s", folder, neighbour,
                         WINDOW_SOCKET);
        int r;

        if (n >= (int)sizeof(window->path)) {
                window->path[0] = '\0';
                return -ENAMETOOLONG;
        }
        window->scene = *scene;
        window->fd = listen_at(window->path);
        r = window->fd < 0 ? window->fd : watch(window, event);
        if (r < 0)
                window_close(window);
        return r < 0 ? r : 0;
}

void window_close(struct window *window)
{
        if (!window->path[0])
                return;
        window->source = sd_event_source_disable_unref(window->source);
        for (size_t i = 0; i < window->n_viewers; i++)
                close_descriptor(&window->viewers[i]);
        window->n_viewers = 0;
        close_descriptor(&window->fd);
        (void)unlink(window->path);
        window->path[0] = '\0';
}
