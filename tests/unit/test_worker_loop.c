/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop: who is called, who is not any more, and how long a turn waits. */
#include "worker/loop.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* A watch that counts its calls, and may end another one or begin one. */
struct counted {
        struct watch watch;
        unsigned calls;
        struct loop *loop;
        struct counted *forgets; /* NULL: nobody */
        struct counted *watches; /* NULL: nobody */
};

static void on_ready(struct watch *watch)
{
        struct counted *counted = (struct counted *)watch;

        counted->calls++;
        if (counted->forgets)
                loop_forget(counted->loop, &counted->forgets->watch);
        if (counted->watches)
                assert(loop_watch(counted->loop, &counted->watches->watch, EPOLLIN) == 0);
}

static struct counted counted_new(struct loop *loop, bool ready)
{
        struct counted counted = {
                .watch = {.fd = eventfd(ready, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_ready},
                .loop = loop,
        };

        assert(counted.watch.fd >= 0);
        return counted;
}

static void end(struct loop *loop, struct counted *one, struct counted *other)
{
        loop_forget(loop, &one->watch);
        loop_forget(loop, &other->watch);
        assert(close(one->watch.fd) == 0 && close(other->watch.fd) == 0);
        loop_done(loop);
}

static void test_ready_ones_are_called_again_until_they_are_not(void)
{
        struct loop loop;
        struct counted ready, idle;
        uint64_t value;

        assert(loop_init(&loop) == 0);
        ready = counted_new(&loop, true);
        idle = counted_new(&loop, false);
        assert(loop_watch(&loop, &ready.watch, EPOLLIN) == 0);
        assert(loop_watch(&loop, &idle.watch, EPOLLIN) == 0);
        assert(loop_watch(&loop, &idle.watch, EPOLLIN) == 0); /* twice is once */
        assert(loop_turn(&loop, USEC_NEVER) == 1);
        assert(loop_turn(&loop, USEC_NEVER) == 1);
        assert(ready.calls == 2 && idle.calls == 0);

        assert(read(ready.watch.fd, &value, sizeof(value)) == sizeof(value));
        assert(loop_turn(&loop, 0) == 0);
        end(&loop, &ready, &idle);
}

/* Whichever comes first ends the other, which is ready too. */
static void test_one_that_is_forgotten_during_the_turn_is_not_called(void)
{
        struct loop loop;
        struct counted one, other;

        assert(loop_init(&loop) == 0);
        one = counted_new(&loop, true);
        other = counted_new(&loop, true);
        one.forgets = &other;
        other.forgets = &one;
        assert(loop_watch(&loop, &one.watch, EPOLLIN) == 0);
        assert(loop_watch(&loop, &other.watch, EPOLLIN) == 0);
        assert(loop_turn(&loop, 0) == 2);
        assert(one.calls + other.calls == 1);
        assert(one.watch.active != other.watch.active);
        end(&loop, &one, &other);
}

static void test_one_that_forgets_itself_is_called_once(void)
{
        struct loop loop;
        struct counted one, other;

        assert(loop_init(&loop) == 0);
        one = counted_new(&loop, true);
        other = counted_new(&loop, false);
        one.forgets = &one;
        assert(loop_watch(&loop, &one.watch, EPOLLIN) == 0);
        assert(loop_turn(&loop, 0) == 1);
        assert(loop_turn(&loop, 0) == 0);
        assert(one.calls == 1);
        end(&loop, &one, &other);
}

static void test_one_that_is_watched_during_the_turn_comes_with_the_next(void)
{
        struct loop loop;
        struct counted one, other;

        assert(loop_init(&loop) == 0);
        one = counted_new(&loop, true);
        other = counted_new(&loop, true);
        one.watches = &other;
        assert(loop_watch(&loop, &one.watch, EPOLLIN) == 0);
        assert(loop_turn(&loop, 0) == 1 && other.calls == 0);
        assert(loop_turn(&loop, 0) == 2 && other.calls == 1);
        end(&loop, &one, &other);
}

static void test_turn_waits_no_shorter_than_it_is_told(void)
{
        struct loop loop;
        struct counted one, other;
        uint64_t begun;

        assert(loop_init(&loop) == 0);
        one = counted_new(&loop, false);
        other = counted_new(&loop, false);
        assert(loop_watch(&loop, &one.watch, EPOLLIN) == 0);
        begun = now_usec();
        assert(loop_turn(&loop, 1500) == 0);
        assert(now_usec() - begun >= 1500);
        end(&loop, &one, &other);
}

static void test_descriptor_that_cannot_be_watched_is_an_error(void)
{
        struct watch closed = {.fd = -1, .ready = on_ready};
        struct loop loop;

        assert(loop_init(&loop) == 0);
        assert(loop_watch(&loop, &closed, EPOLLIN) < 0 && !closed.active);
        loop_forget(&loop, &closed);
        loop_done(&loop);
        loop_done(&loop);
        assert(loop.epoll == -1);
        assert(loop_turn(&loop, 0) < 0);
}

/* A turn that does not wait is no rest, however long it takes. */
static void test_waits_are_counted_as_rest(void)
{
        struct board *board;
        struct loop loop;
        uint64_t rested;

        assert(board_new(&board, 1) == 0 && loop_init(&loop) == 0);
        assert(loop_turn(&loop, 1000) == 0); /* nowhere */
        loop.slot = board_slot(board, 0);
        assert(loop_turn(&loop, 0) == 0);
        assert(board_rested_usec(loop.slot, now_usec()) == 0);
        assert(loop_turn(&loop, 20 * USEC_PER_MSEC) == 0);
        rested = board_rested_usec(loop.slot, now_usec());
        assert(rested >= 19 * USEC_PER_MSEC);
        assert(board_rested_usec(loop.slot, now_usec() + USEC_PER_SEC) == rested);
        loop_done(&loop);
        board_free(board);
}

int main(void)
{
        test_waits_are_counted_as_rest();
        test_ready_ones_are_called_again_until_they_are_not();
        test_one_that_is_forgotten_during_the_turn_is_not_called();
        test_one_that_forgets_itself_is_called_once();
        test_one_that_is_watched_during_the_turn_comes_with_the_next();
        test_turn_waits_no_shorter_than_it_is_told();
        test_descriptor_that_cannot_be_watched_is_an_error();
        return 0;
}
