/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate: who takes a connection, who steps back, and that a step back ends. */
#include "worker/accept.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum { CLIENTS_MAX = 80 };

/* A worker that only accepts: what it took stays open and counted until the end. */
struct taker {
        struct loop loop;
        struct board *board;
        struct board_slot *slot;
        struct acceptor *acceptor;
        int taken[CLIENTS_MAX];
        unsigned n_taken;
};

struct scene {
        struct endpoint listener;
        struct sockaddr_in address;
        int clients[CLIENTS_MAX];
        unsigned n_clients;
};

static void on_connected(void *data, const struct endpoint *endpoint, int fd,
                         const struct sockaddr *address, socklen_t size)
{
        struct taker *taker = data;

        assert(endpoint->fd >= 0 && !endpoint->tls);
        assert(address->sa_family == AF_INET && size == sizeof(struct sockaddr_in));
        assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK));
        taker->taken[taker->n_taken++] = fd;
        atomic_fetch_add(&taker->slot->connections, 1);
}

static struct scene scene_new(void)
{
        struct scene scene = {.address = {.sin_family = AF_INET}};
        socklen_t size = sizeof(scene.address);

        scene.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        scene.listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert(scene.listener.fd >= 0);
        assert(bind(scene.listener.fd, (struct sockaddr *)&scene.address, size) == 0);
        assert(listen(scene.listener.fd, CLIENTS_MAX) == 0);
        assert(getsockname(scene.listener.fd, (struct sockaddr *)&scene.address, &size) == 0);
        return scene;
}

static void arrive(struct scene *scene, unsigned n)
{
        while (n-- > 0) {
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                assert(fd >= 0);
                assert(connect(fd, (struct sockaddr *)&scene->address, sizeof(scene->address)) ==
                       0);
                scene->clients[scene->n_clients++] = fd;
        }
}

static void scene_end(const struct scene *scene)
{
        for (unsigned i = 0; i < scene->n_clients; i++)
                assert(close(scene->clients[i]) == 0);
        assert(close(scene->listener.fd) == 0);
}

static void begin(struct taker *taker, const struct scene *scene, struct board *board,
                  unsigned slot, unsigned limit)
{
        struct acceptor_options options;

        *taker = (struct taker){.board = board, .slot = board_slot(board, slot)};
        assert(loop_init(&taker->loop) == 0);
        atomic_store(&taker->slot->accepting, 1);
        options = (struct acceptor_options){
                .loop = &taker->loop,
                .board = board,
                .slot = taker->slot,
                .endpoints = &scene->listener,
                .n_endpoints = 1,
                .limit = limit,
                .connected = on_connected,
                .data = taker,
        };
        assert(acceptor_new(&taker->acceptor, &options) == 0);
}

static void end(struct taker *taker)
{
        acceptor_free(taker->acceptor);
        loop_done(&taker->loop);
        for (unsigned i = 0; i < taker->n_taken; i++)
                assert(close(taker->taken[i]) == 0);
}

/* Turns until nothing is ready. */
static void turn(struct taker *taker)
{
        do
                acceptor_settle(taker->acceptor);
        while (loop_turn(&taker->loop, 0) > 0);
}

static void test_worker_alone_takes_all(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 20);
        turn(&taker);
        assert(taker.n_taken == 20);
        assert(acceptor_wake_usec(taker.acceptor) == USEC_NEVER);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_worker_that_is_ahead_waits_for_the_others(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct board_slot *sibling;
        struct taker taker;
        uint64_t began = now_usec(), wake;

        assert(board_new(&board, 2) == 0);
        sibling = board_slot(board, 1);
        atomic_store(&sibling->accepting, 1); /* never moves */
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 20);
        turn(&taker);
        assert(taker.n_taken == 2); /* one more than the other one, and the one that shows it */
        assert(atomic_load(&taker.slot->steps_back));

        wake = acceptor_wake_usec(taker.acceptor);
        assert(wake >= began + USEC_PER_MSEC && wake < began + USEC_PER_SEC);
        acceptor_turn(taker.acceptor, wake); /* it still is */
        turn(&taker);
        assert(taker.n_taken == 2 && acceptor_wake_usec(taker.acceptor) == wake + USEC_PER_MSEC);

        /* it is not any more: at once */
        atomic_store(&sibling->accepted, 1);
        acceptor_turn(taker.acceptor, wake);
        assert(!atomic_load(&taker.slot->steps_back));
        turn(&taker);
        assert(taker.n_taken == 3);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static bool is_awaited(const struct taker *taker)
{
        struct epoll_event event;

        return epoll_wait(taker->loop.epoll, &event, 1, 0) > 0;
}

static void test_step_back_that_is_soon_over_is_not_told_to_the_kernel(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        atomic_store(&board_slot(board, 1)->accepting, 1);
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 5);
        assert(loop_turn(&taker.loop, 0) == 1 && atomic_load(&taker.slot->steps_back));
        assert(is_awaited(&taker));
        assert(loop_turn(&taker.loop, 0) == 1 && taker.n_taken == 2); /* nobody is taken, though */

        acceptor_settle(taker.acceptor);
        assert(!is_awaited(&taker));
        atomic_store(&board_slot(board, 1)->accepted, 5);
        acceptor_turn(taker.acceptor, acceptor_wake_usec(taker.acceptor));
        assert(!is_awaited(&taker));
        acceptor_settle(taker.acceptor);
        assert(is_awaited(&taker));
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_who_does_not_come_is_not_waited_for_again(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct board_slot *sibling;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        sibling = board_slot(board, 1);
        atomic_store(&sibling->accepting, 1);
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 20);
        turn(&taker);
        acceptor_turn(taker.acceptor, acceptor_wake_usec(taker.acceptor) + USEC_PER_SEC);
        turn(&taker);
        assert(taker.n_taken == 20);

        /* until it moves */
        atomic_store(&sibling->accepted, 1);
        arrive(&scene, 2);
        turn(&taker);
        assert(taker.n_taken == 20);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_who_steps_back_is_hardly_waited_for(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        atomic_store(&board_slot(board, 1)->accepting, 1);
        atomic_store(&board_slot(board, 1)->connections, 3);
        atomic_store(&board_slot(board, 1)->steps_back, 1);
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 20);
        turn(&taker);
        assert(taker.n_taken == 5); /* one more, and the one that shows it */
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_siblings_that_do_not_accept_hold_nobody_back(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        begin(&taker, &scene, board, 0, 100);
        arrive(&scene, 30);
        turn(&taker);
        assert(taker.n_taken == 30);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_slack_grows_with_the_number(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        atomic_store(&board_slot(board, 1)->accepting, 1);
        atomic_store(&board_slot(board, 1)->connections, 80);
        begin(&taker, &scene, board, 0, 1000);
        atomic_store(&taker.slot->connections, 80);
        atomic_store(&board_slot(board, 1)->accepted, 80);
        arrive(&scene, 20);
        turn(&taker);
        assert(taker.n_taken == 8); /* two and a sixteenth of 80, and the one that shows it */
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

/* With connections that end at once, all have none: those that were accepted decide. */
static void test_accepted_ones_count_among_equals(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        atomic_store(&board_slot(board, 1)->accepting, 1);
        atomic_store(&board_slot(board, 1)->connections, 30);
        atomic_store(&board_slot(board, 1)->accepted, 1000);
        begin(&taker, &scene, board, 0, 1000);
        assert(atomic_load(&taker.slot->accepted) == 1000); /* a new one begins as the others */
        arrive(&scene, 20);
        turn(&taker);
        assert(taker.n_taken == 20); /* it has fewer connections */
        atomic_store(&board_slot(board, 1)->connections, 20);
        arrive(&scene, 1);
        turn(&taker);
        assert(taker.n_taken == 20);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

/* Connections that end at once, beside a worker that does not come to its own. */
static void test_who_has_more_is_not_waited_for_at_once(void)
{
        enum { SLACK = 64 };
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 2) == 0);
        atomic_store(&board_slot(board, 1)->accepting, 1);
        atomic_store(&board_slot(board, 1)->connections, 2);
        begin(&taker, &scene, board, 0, 100);
        for (unsigned i = 0; i < SLACK + 5; i++) {
                arrive(&scene, 1);
                turn(&taker);
                atomic_store(&taker.slot->connections, 0);
        }
        assert(taker.n_taken == SLACK + 1); /* and the one that shows it */
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_limit_is_kept_and_the_rest_waits(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker taker;

        assert(board_new(&board, 1) == 0);
        begin(&taker, &scene, board, 0, 3);
        arrive(&scene, 5);
        turn(&taker);
        assert(taker.n_taken == 3);
        acceptor_turn(taker.acceptor, acceptor_wake_usec(taker.acceptor));
        assert(taker.n_taken == 3);
        assert(acceptor_wake_usec(taker.acceptor) != USEC_NEVER);

        atomic_store(&taker.slot->connections, 1);
        acceptor_turn(taker.acceptor, acceptor_wake_usec(taker.acceptor));
        turn(&taker);
        assert(taker.n_taken == 5);
        end(&taker);
        board_free(board);
        scene_end(&scene);
}

static void test_two_workers_share_a_burst_evenly(void)
{
        struct scene scene = scene_new();
        struct board *board = NULL;
        struct taker one, other;
        int i;

        assert(board_new(&board, 2) == 0);
        begin(&one, &scene, board, 0, 100);
        begin(&other, &scene, board, 1, 100);
        arrive(&scene, 40);
        for (i = 0; i < 100 && one.n_taken + other.n_taken < 40; i++) {
                turn(&one);
                turn(&other);
                acceptor_turn(one.acceptor, 1);
                acceptor_turn(other.acceptor, 1);
        }
        assert(one.n_taken + other.n_taken == 40);
        assert(one.n_taken >= 18 && other.n_taken >= 18);
        end(&one);
        end(&other);
        board_free(board);
        scene_end(&scene);
}

static void test_free_accepts_null(void)
{
        acceptor_free(NULL);
}

int main(void)
{
        test_worker_alone_takes_all();
        test_worker_that_is_ahead_waits_for_the_others();
        test_step_back_that_is_soon_over_is_not_told_to_the_kernel();
        test_who_does_not_come_is_not_waited_for_again();
        test_who_steps_back_is_hardly_waited_for();
        test_siblings_that_do_not_accept_hold_nobody_back();
        test_slack_grows_with_the_number();
        test_accepted_ones_count_among_equals();
        test_who_has_more_is_not_waited_for_at_once();
        test_limit_is_kept_and_the_rest_waits();
        test_two_workers_share_a_burst_evenly();
        test_free_accepts_null();
        return 0;
}
