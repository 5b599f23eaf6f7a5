/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a viewer gets to see, that it cannot write it, and that one who does not read is nobody's
 * problem. */
#include "master/window.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "board/box.h"
#include "master/generation.h"
#include "master/listen.h"
#include "master/recover.h"

#define NEIGHBOUR "/notify"

/* A master with workers that were never forked. */
struct scene {
        char folder[64];
        struct generation_owner owner;
        struct listeners listeners;
        struct recoveries recoveries;
        struct generation *generations;
        struct box *box;
        struct reload_outcome reload;
        struct window window;
};

struct seen {
        struct window_message message;
        int fd;
};

static struct box *new_box(void)
{
        const struct box_layout layout = {.n_flights = 1};
        struct box *box = NULL;

        assert(box_new(&box, &layout) == 0);
        return box;
}

static void give_workers(struct scene *scene, unsigned workers)
{
        struct generation *generation = scene->generations;

        for (unsigned i = 0; i < workers; i++) {
                struct child *child = &generation->children[i];

                child->state = WORKER_READY;
                child->stored.box = new_box();
                child->spawned_usec = 1000 + i;
                child->subject = (struct record_subject){
                        .worker_pid = 100000 + (int)i,
                        .worker_id = i + 1,
                        .generation = 7,
                };
        }
}

static void open_window(struct scene *scene)
{
        const struct window_scene sight = {
                .generations = &scene->generations,
                .recoveries = &scene->recoveries,
                .listeners = &scene->listeners,
                .box = scene->box,
                .reload = &scene->reload,
        };
        char neighbour[sizeof(scene->folder) + sizeof(NEIGHBOUR)];

        (void)snprintf(neighbour, sizeof(neighbour), "%s" NEIGHBOUR, scene->folder);
        assert(window_open(&scene->window, &sight, scene->owner.host.event, neighbour) == 0);
}

static void begin(struct scene *scene, unsigned workers)
{
        const struct config_source nothing = {0};
        struct problems problems = {0};
        struct setup setup = {0};

        *scene = (struct scene){.folder = "/tmp/test_master_window.XXXXXX", .box = new_box()};
        assert(mkdtemp(scene->folder));
        assert(config_load(&setup.config, &nothing, &problems) == 0);
        setup.config->server_workers = workers;
        assert(sd_event_new(&scene->owner.host.event) >= 0);
        assert(generation_new(&scene->generations, &scene->owner, 7, &setup) == 0);
        give_workers(scene, workers);
        scene->recoveries.n = 3;
        scene->reload = (struct reload_outcome){.under_way = 1, .refusal = "no stock"};
        open_window(scene);
}

static void end(struct scene *scene)
{
        window_close(&scene->window);
        generation_free(scene->generations);
        box_free(scene->box);
        assert(sd_event_unref(scene->owner.host.event) == NULL);
        assert(rmdir(scene->folder) == 0);
}

static void turn(const struct scene *scene)
{
        assert(sd_event_run(scene->owner.host.event, 0) >= 0);
}

static int viewer_of(const struct scene *scene)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", scene->folder,
                       WINDOW_SOCKET);
        assert(fd >= 0);
        assert(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
        return fd;
}

static bool next(int viewer, struct seen *ret)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec data = {.iov_base = &ret->message, .iov_len = sizeof(ret->message)};
        struct msghdr header = {.msg_iov = &data,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(viewer, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n <= 0) /* the end, or the master has not looked yet */
                return false;
        assert(n == sizeof(ret->message) && CMSG_FIRSTHDR(&header));
        memcpy(&ret->fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(ret->fd));
        assert(memcmp(ret->message.magic, WINDOW_MAGIC, 8) == 0);
        assert(ret->message.version == WINDOW_VERSION);
        return true;
}

/* Return: the messages that come until the end. */
static unsigned count(int viewer)
{
        struct seen seen;
        unsigned n = 0;

        while (next(viewer, &seen)) {
                assert(close(seen.fd) == 0);
                n++;
        }
        return n;
}

static unsigned open_descriptors(void)
{
        DIR *folder = opendir("/proc/self/fd");
        unsigned n = 0;

        assert(folder);
        while (readdir(folder))
                n++;
        assert(closedir(folder) == 0);
        return n;
}

static void test_viewer_sees_master_board_and_workers_and_the_end(void)
{
        struct scene scene;
        struct seen seen;
        int viewer;

        begin(&scene, 2);
        scene.generations->children[1].state = WORKER_DRAINING;
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(next(viewer, &seen) && seen.message.kind == WINDOW_MASTER);
        assert(seen.message.pid == getpid() && seen.message.n_following == 3);
        assert(seen.message.reload.under_way == 1);
        assert(strcmp(seen.message.reload.refusal, "no stock") == 0);
        assert(seen.message.n_recoveries == 3 && seen.message.backlog == UINT64_MAX);
        assert(close(seen.fd) == 0);
        assert(next(viewer, &seen) && seen.message.kind == WINDOW_BOARD);
        assert(seen.message.generation == 7 && close(seen.fd) == 0);
        for (unsigned i = 0; i < 2; i++) {
                assert(next(viewer, &seen) && seen.message.kind == WINDOW_WORKER);
                assert(seen.message.pid == 100000 + (int)i && seen.message.worker_id == i + 1);
                assert(seen.message.generation == 7 && seen.message.slot == i);
                assert(seen.message.started_usec == 1000 + i);
                assert(seen.message.state == (i == 0 ? WORKER_READY : WORKER_DRAINING));
                assert(close(seen.fd) == 0);
        }
        assert(!next(viewer, &seen) && close(viewer) == 0);
        end(&scene);
}

static void test_viewer_sees_how_many_workers_the_serving_generation_wants(void)
{
        const struct scale_bounds bounds = scale_bounds(workers_range(2, 8), 0, 1);
        struct scene scene;
        struct seen seen;
        int viewer;

        begin(&scene, 1);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(next(viewer, &seen) && close(seen.fd) == 0 && close(viewer) == 0);
        assert(seen.message.n_wanted == 0); /* it starts */
        scene.generations->phase = GENERATION_SERVING;
        scale_init(&scene.generations->scale, &bounds, 3);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(next(viewer, &seen) && close(seen.fd) == 0 && close(viewer) == 0);
        assert(seen.message.n_wanted == 3);
        assert(seen.message.n_least == 2 && seen.message.n_most == 8);
        end(&scene);
}

static void test_descriptors_are_those_of_the_memory_and_for_reading_only(void)
{
        struct scene scene;
        struct board *board = NULL;
        struct box *box = NULL;
        struct seen seen;
        int viewer;

        begin(&scene, 1);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(next(viewer, &seen) && close(seen.fd) == 0);
        assert(next(viewer, &seen) && board_view(&board, seen.fd) == 0);
        board_count_request(board_slot(scene.generations->board, 0), 200, 1);
        assert(board_slot(board, 0)->requests == 1);
        assert(next(viewer, &seen) && box_view(&box, seen.fd) == 0);
        scene.generations->children[0].stored.box->header->identity.pid = 42;
        assert(box->header->identity.pid == 42);
        assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, seen.fd, 0) == MAP_FAILED);
        assert(errno == EACCES);
        board_free(board);
        box_free(box);
        assert(close(viewer) == 0);
        end(&scene);
}

static void test_viewer_who_does_not_read_is_not_waited_for(void)
{
        struct scene scene;
        int lazy[WINDOW_VIEWERS_MAX + 1], viewer;

        begin(&scene, 2);
        for (size_t i = 0; i < sizeof(lazy) / sizeof(lazy[0]); i++) {
                lazy[i] = viewer_of(&scene);
                turn(&scene);
        }
        /* One too many is turned away. */
        assert(count(lazy[WINDOW_VIEWERS_MAX]) == 0);
        assert(scene.window.n_viewers == WINDOW_VIEWERS_MAX);

        /* Who has read or gone makes room, whatever else he pretends. */
        assert(shutdown(lazy[2], SHUT_RDWR) == 0);
        assert(count(lazy[0]) == 4 && close(lazy[1]) == 0);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(scene.window.n_viewers == WINDOW_VIEWERS_MAX - 1);
        assert(count(viewer) == 4 && close(viewer) == 0);
        for (size_t i = 0; i < sizeof(lazy) / sizeof(lazy[0]); i++)
                assert(i == 1 || close(lazy[i]) == 0);
        end(&scene);
}

static void test_256_workers_fit_and_no_descriptor_is_left(void)
{
        struct scene scene;
        unsigned before;
        int viewer;

        begin(&scene, 256);
        viewer = viewer_of(&scene);
        before = open_descriptors();
        turn(&scene);
        assert(count(viewer) == 1 + 1 + 256);
        assert(open_descriptors() == before + 1); /* the master's end, until the next viewer */
        assert(close(viewer) == 0);
        end(&scene);
}

/* A long list of generations without workers. */
static struct generation *many_generations(struct board *board, unsigned n)
{
        struct generation *first = NULL;

        while (n-- > 0) {
                struct generation *generation = calloc(1, sizeof(*generation));

                assert(generation);
                generation->board = board;
                generation->next = first;
                first = generation;
        }
        return first;
}

static void test_what_does_not_fit_is_told_by_the_number(void)
{
        const unsigned many = 20000;
        struct scene scene;
        struct generation *real;
        struct seen seen;
        int viewer;

        begin(&scene, 1);
        real = scene.generations;
        scene.generations = many_generations(real->board, many);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(next(viewer, &seen) && close(seen.fd) == 0);
        assert(seen.message.n_following == many);
        assert(count(viewer) < many);
        assert(close(viewer) == 0);
        while (scene.generations) {
                struct generation *generation = scene.generations;

                scene.generations = generation->next;
                free(generation);
        }
        scene.generations = real;
        end(&scene);
}

static void test_who_looks_all_the_time_is_held_off(void)
{
        enum { LOOKS = 30 }; /* fewer than the backlog holds beyond those that are served */
        struct scene scene;
        unsigned served = 0;

        begin(&scene, 1);
        for (unsigned i = 0; i < LOOKS; i++) {
                int viewer = viewer_of(&scene);
                struct seen seen;

                turn(&scene);
                if (next(viewer, &seen)) {
                        assert(close(seen.fd) == 0);
                        served++;
                }
                assert(close(viewer) == 0);
        }
        assert(served > 0 && served < LOOKS);
        end(&scene);
}

static void test_socket_of_a_killed_predecessor_is_replaced(void)
{
        struct scene scene;
        struct window first;
        int viewer;

        begin(&scene, 1);
        first = scene.window;
        scene.window = (struct window){0};
        open_window(&scene);
        viewer = viewer_of(&scene);
        turn(&scene);
        assert(count(viewer) == 3);
        assert(close(viewer) == 0 && close(first.fd) == 0);
        assert(sd_event_source_disable_unref(first.source) == NULL);
        end(&scene);
}

static void test_path_that_is_too_long_is_an_error(void)
{
        struct window window = {0};
        char neighbour[sizeof(window.path) + 8];

        memset(neighbour, 'a', sizeof(neighbour));
        memcpy(neighbour + sizeof(neighbour) - 4, "/n", 3);
        assert(window_open(&window, &window.scene, NULL, neighbour) == -ENAMETOOLONG);
        window_close(&window);
}

int main(void)
{
        test_viewer_sees_master_board_and_workers_and_the_end();
        test_viewer_sees_how_many_workers_the_serving_generation_wants();
        test_descriptors_are_those_of_the_memory_and_for_reading_only();
        test_viewer_who_does_not_read_is_not_waited_for();
        test_256_workers_fit_and_no_descriptor_is_left();
        test_what_does_not_fit_is_told_by_the_number();
        test_who_looks_all_the_time_is_held_off();
        test_socket_of_a_killed_predecessor_is_replaced();
        test_path_that_is_too_long_is_an_error();
        return 0;
}
