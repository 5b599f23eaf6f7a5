/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes through the window is taken as it is meant, and refused when it is not. */
#include "cli/status_look.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "board/board.h"
#include "board/box.h"
#include "master/supervise.h"

/* A master that says what a test wants. */
struct scene {
        int master;
        int viewer;
        struct board *board;
        struct box *box;
};

static void begin(struct scene *scene)
{
        const struct box_layout layout = {.n_flights = 4, .log_size = log_memory_size(1 << 16)};
        int pair[2];

        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        *scene = (struct scene){.master = pair[0], .viewer = pair[1]};
        assert(board_new(&scene->board, 2) == 0 && box_new(&scene->box, &layout) == 0);
}

static int receive(struct scene *scene, struct seen **ret)
{
        int r;

        assert(close(scene->master) == 0);
        r = status_receive(ret, scene->viewer);
        assert(close(scene->viewer) == 0);
        board_free(scene->board);
        box_free(scene->box);
        return r;
}

/* All that was sent is refused, and nothing is given back. */
static void refused(struct scene *scene, int error)
{
        struct seen *seen = (void *)&seen;

        assert(receive(scene, &seen) == error && seen == (void *)&seen);
}

static void send_bytes(const struct scene *scene, const void *bytes, size_t size, int fd, size_t n)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
        const int fds[] = {fd, fd};
        struct iovec data = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
        struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
        if (n > 0) {
                header.msg_control = &control;
                header.msg_controllen = CMSG_SPACE(n * sizeof(int));
        }
        assert(sendmsg(scene->master, &header, 0) == (ssize_t)size);
}

static struct window_message message_of(enum window_kind kind)
{
        struct window_message message = {.version = WINDOW_VERSION, .kind = kind, .pid = 100};

        memcpy(message.magic, WINDOW_MAGIC, sizeof(message.magic));
        return message;
}

static void send_message(const struct scene *scene, struct window_message message)
{
        int fd = message.kind == WINDOW_BOARD ? board_fd(scene->board) : scene->box->fd;

        send_bytes(scene, &message, sizeof(message), fd, 1);
}

static void send_master(const struct scene *scene, uint64_t n_following)
{
        struct window_message message = message_of(WINDOW_MASTER);

        message.n_following = n_following;
        message.n_recoveries = 2;
        send_message(scene, message);
}

static void send_worker(const struct scene *scene, uint32_t id, uint32_t slot)
{
        struct window_message message = message_of(WINDOW_WORKER);

        message.pid = 100 + (int)id;
        message.worker_id = id;
        message.generation = 1;
        message.state = WORKER_READY;
        message.slot = slot;
        send_message(scene, message);
}

static void test_worker_is_seen_with_its_slot_and_its_requests(void)
{
        struct scene scene;
        struct flights flights = {0};
        struct seen *seen = NULL;
        struct box *box;

        begin(&scene);
        box = scene.box;
        assert(flights_init(&flights, box->flights, 4, &box->header->flights_used) == 0);
        assert(flight_begin(&flights, "young", "192.0.2.1", "/b", 2, 2000));
        assert(flight_begin(&flights, "old", "192.0.2.2", "/a", 2, 1000));
        flight_end(&flights, flight_begin(&flights, "gone", "192.0.2.3", "/c", 2, 500));
        board_count_request(board_slot(scene.board, 1), 404, 7);
        board_slot(scene.board, 1)->connections = 5;
        board_slot(scene.board, 1)->accepting = 1;

        send_master(&scene, 3);
        send_message(&scene, message_of(WINDOW_BOARD));
        send_worker(&scene, 2, 1);
        send_worker(&scene, 1, 0);
        assert(receive(&scene, &seen) == 0);
        flights_done(&flights);

        assert(seen->master.pid == 100 && seen->master.n_recoveries == 2 && seen->n_unseen == 0);
        assert(seen->n_workers == 2 && seen->workers[0].facts.worker_id == 1);
        assert(!seen->workers[0].accepting && seen->workers[0].sample.requests == 0);
        assert(seen->workers[1].accepting && seen->workers[1].connections == 5);
        assert(seen->workers[1].sample.requests == 1 && seen->workers[1].responses[4] == 1);
        assert(seen->workers[1].log.capacity >= 1 << 16);
        assert(seen->workers[1].n_flights == 2);
        assert(strcmp(seen->workers[1].flights[0].id, "old") == 0);
        assert(strcmp(seen->workers[1].flights[1].id, "young") == 0);
        seen_free(seen);
}

static void test_what_a_worker_scribbled_stays_within_bounds(void)
{
        struct scene scene;
        struct seen *seen = NULL;
        struct flight *flight;

        begin(&scene);
        memset(scene.box->flights, 0xff, 4 * sizeof(struct flight));
        memset(scene.box->log, 0xff, log_memory_size(1 << 16));
        atomic_store(&scene.box->header->flights_used, UINT32_MAX);
        atomic_store(&scene.box->flights[3].state, FLIGHT_RUNNING);
        memset(board_slot(scene.board, 0), 0xff, sizeof(struct board_slot));
        send_master(&scene, 2);
        send_message(&scene, message_of(WINDOW_BOARD));
        send_worker(&scene, 1, 0);
        assert(receive(&scene, &seen) == 0 && seen->workers[0].n_flights == 1);
        flight = &seen->workers[0].flights[0];
        assert(strlen(flight->target) < sizeof(flight->target));
        assert(strlen(flight->id) < sizeof(flight->id));
        assert(seen->workers[0].log.used <= seen->workers[0].log.capacity);
        seen_free(seen);
}

static void test_what_the_master_could_not_send_is_counted(void)
{
        struct scene scene;
        struct seen *seen = NULL;

        begin(&scene);
        send_master(&scene, 9);
        send_message(&scene, message_of(WINDOW_BOARD));
        send_worker(&scene, 1, 0);
        assert(receive(&scene, &seen) == 0);
        assert(seen->n_workers == 1 && seen->n_unseen == 7);
        seen_free(seen);
}

static void test_nothing_at_all_means_that_too_many_look(void)
{
        struct scene scene;

        begin(&scene);
        refused(&scene, -EBUSY);
}

static void test_another_version_is_told_from_damage(void)
{
        struct window_message message = message_of(WINDOW_MASTER);
        char longer[2 * sizeof(message)] = {0};
        struct scene scene;

        message.version = WINDOW_VERSION + 1;
        memcpy(longer, &message, sizeof(message));
        begin(&scene);
        send_bytes(&scene, longer, sizeof(longer), scene.box->fd, 2);
        refused(&scene, -EPROTONOSUPPORT);
        begin(&scene);
        send_bytes(&scene, longer, 20, scene.box->fd, 1);
        refused(&scene, -EPROTONOSUPPORT);
        begin(&scene);
        scene.box->header->version = BOX_VERSION + 1;
        send_master(&scene, 0);
        refused(&scene, -EPROTONOSUPPORT);

        begin(&scene);
        send_bytes(&scene, "HTTP/1.1 400 Bad Request", 24, scene.box->fd, 1);
        refused(&scene, -EBADMSG);
        message.version = WINDOW_VERSION;
        begin(&scene);
        send_bytes(&scene, &message, sizeof(message) - 1, scene.box->fd, 1);
        refused(&scene, -EBADMSG);
}

static void test_message_without_its_descriptor_is_refused(void)
{
        const struct window_message message = message_of(WINDOW_MASTER);
        struct scene scene;

        begin(&scene);
        send_bytes(&scene, &message, sizeof(message), -1, 0);
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_bytes(&scene, &message, sizeof(message), scene.box->fd, 2);
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_bytes(&scene, &message, sizeof(message), board_fd(scene.board), 1);
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_bytes(&scene, &message, sizeof(message), scene.master, 1);
        refused(&scene, -EBADMSG);
}

static void test_messages_in_no_order_are_refused(void)
{
        struct window_message message = message_of(WINDOW_WORKER);
        struct scene scene;

        begin(&scene);
        send_message(&scene, message_of(WINDOW_BOARD));
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_master(&scene, 1);
        send_master(&scene, 1);
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_master(&scene, 1);
        send_worker(&scene, 1, 0);
        refused(&scene, -EBADMSG);
        begin(&scene);
        send_master(&scene, 1);
        send_message(&scene, message_of(WINDOW_BOARD));
        send_worker(&scene, 1, 2);
        refused(&scene, -EBADMSG);
        begin(&scene);
        message.state = WORKER_STATES_MAX;
        send_master(&scene, 1);
        send_message(&scene, message_of(WINDOW_BOARD));
        send_message(&scene, message);
        refused(&scene, -EBADMSG);
        begin(&scene);
        message.kind = WINDOW_WORKER + 1;
        message.state = 0;
        send_message(&scene, message);
        refused(&scene, -EBADMSG);
}

static void test_path_that_is_too_long_is_an_error(void)
{
        char path[200];

        memset(path, 'a', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert(status_connect(path) == -ENAMETOOLONG);
        assert(status_connect("/nowhere/status") == -ENOENT);
}

/* -- two looks -- */

static struct seen_worker worker_of(int pid, uint64_t started, enum worker_state state,
                                    uint64_t requests)
{
        return (struct seen_worker){
                .facts = {.pid = pid, .started_usec = started, .state = state},
                .sample = {.workers = 1, .requests = requests, .log_lost = 1},
                .n_flights = 2,
        };
}

static void test_sums_are_over_the_same_processes_that_serve(void)
{
        struct seen_worker earlier_workers[] = {
                worker_of(1, 10, WORKER_READY, 1000),
                worker_of(2, 10, WORKER_READY, 500),
                worker_of(3, 10, WORKER_READY, 100),
        };
        /* The first died, its pid is another's; the second leaves. */
        struct seen_worker workers[] = {
                worker_of(1, 20, WORKER_READY, 30),
                worker_of(2, 10, WORKER_DRAINING, 501),
                worker_of(3, 10, WORKER_READY, 107),
        };
        const struct seen earlier = {
                .taken_usec = 1 * USEC_PER_SEC, .workers = earlier_workers, .n_workers = 3};
        const struct seen now = {
                .taken_usec = 2 * USEC_PER_SEC, .workers = workers, .n_workers = 3, .log.lost = 5};
        struct seen_total total;

        seen_sum(&total, &earlier, &now);
        assert(total.now.workers == 2 && total.in_flight == 6 && total.now.log_lost == 7);
        assert(status_rate(&total.before, &total.now) == 37);
        assert(seen_before(&earlier, &workers[0]).requests == 0);
        assert(seen_before(&earlier, &workers[0]).taken_usec == USEC_PER_SEC);
        assert(seen_before(&earlier, &workers[2]).requests == 100);
}

static void test_what_came_after_the_look_has_no_age(void)
{
        const struct seen seen = {.taken_usec = 1000};

        assert(seen_age(&seen, 400) == 600 && seen_age(&seen, 1000) == 0);
        assert(seen_age(&seen, 1001) == 0 && seen_age(&seen, UINT64_MAX) == 0);
}

int main(void)
{
        test_worker_is_seen_with_its_slot_and_its_requests();
        test_what_a_worker_scribbled_stays_within_bounds();
        test_what_the_master_could_not_send_is_counted();
        test_nothing_at_all_means_that_too_many_look();
        test_another_version_is_told_from_damage();
        test_message_without_its_descriptor_is_refused();
        test_messages_in_no_order_are_refused();
        test_path_that_is_too_long_is_an_error();
        test_sums_are_over_the_same_processes_that_serve();
        test_what_came_after_the_look_has_no_age();
        return 0;
}
