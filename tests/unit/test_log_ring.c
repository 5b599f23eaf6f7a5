/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring against a model: whole records, in order, nothing overwritten; and what is left of it
 * when its process dies. */
#include "log/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MEMORY_SIZE 4096
#define MODEL_MAX   1024
#define KIND        3
#define WHEN_USEC   77

/* What outlives a process. */
struct memory {
        struct ring_positions positions;
        alignas(RING_ALIGNMENT) unsigned char data[MEMORY_SIZE];
};

static struct memory memory;

/* What the ring should hold: a record is its size and the byte that fills it. */
struct model {
        size_t sizes[MODEL_MAX];
        unsigned char bytes[MODEL_MAX];
        size_t first, n;
};

static struct ring handle(size_t size)
{
        struct ring ring;

        ring_init(&ring, &memory.positions, memory.data, size);
        return ring;
}

static struct ring empty_ring(void)
{
        memset(&memory.positions, 0, sizeof(memory.positions));
        return handle(sizeof(memory.data));
}

static uint32_t next_random(uint32_t *state)
{
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

static bool put(struct ring *ring, unsigned char byte, size_t size)
{
        unsigned char *room = ring_reserve(ring, size);

        if (!room)
                return false;
        assert((uintptr_t)room % 8 == 0);
        assert(room > memory.data && room + size <= memory.data + sizeof(memory.data));
        memset(room, byte, size);
        (void)ring_commit(ring, size, KIND, WHEN_USEC);
        return true;
}

/* Return: the entry, which is still to be sent. */
static struct ring_entry expect_next(const struct ring *ring, unsigned char byte, size_t size,
                                     bool again)
{
        struct ring_entry entry;

        assert(ring_next(ring, &entry));
        assert(entry.size == size && entry.kind == KIND && entry.written_usec == WHEN_USEC);
        assert(entry.again == again);
        for (size_t i = 0; i < size; i++)
                assert((unsigned char)entry.record[i] == byte);
        return entry;
}

static void send_next(struct ring *ring, unsigned char byte, size_t size, bool again)
{
        struct ring_entry entry = expect_next(ring, byte, size, again);

        ring_try(ring, &entry);
        ring_sent(ring, &entry);
}

/* All but the last @unread bytes were read. */
static uint64_t forget(struct ring *ring, uint64_t unread, bool newest)
{
        uint64_t forgotten[KIND + 1] = {0};

        ring_read(ring, ring_position(ring), unread);
        ring_forget(ring, UINT64_MAX, newest, forgotten, KIND + 1);
        return forgotten[KIND];
}

/* Send and forget the oldest one that waits. */
static void pop(struct ring *ring, unsigned char byte, size_t size)
{
        send_next(ring, byte, size, false);
        assert(forget(ring, 0, false) == 1);
}

static void test_empty_ring_holds_nothing(void)
{
        struct ring ring = empty_ring();
        struct ring_entry entry;

        assert(!ring_next(&ring, &entry) && !ring_waiting(&ring));
        assert(forget(&ring, 0, false) == 0 && ring_unforgotten(&ring) == 0);
        assert(ring_used(&ring) == 0 && ring_capacity(&ring) == MEMORY_SIZE);
        assert(!ring_holds(&ring, 0) && !ring_holds(&ring, RING_ALIGNMENT));
        assert(ring_adopt(&ring) == 0 && ring_used(&ring) == 0);
}

static void test_a_record_of_no_bytes_is_a_record(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 0) && put(&ring, 'b', 1));
        pop(&ring, 'a', 0);
        pop(&ring, 'b', 1);
        assert(ring_used(&ring) == 0);
}

static void test_a_record_that_does_not_fit_changes_nothing(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 3000));
        assert(!ring_reserve(&ring, 3000) && !ring_reserve(&ring, SIZE_MAX) &&
               !ring_reserve(&ring, SIZE_MAX - 8) && !ring_reserve(&ring, MEMORY_SIZE));
        pop(&ring, 'a', 3000);
        assert(ring_used(&ring) == 0);
}

static void test_a_reservation_that_is_not_committed_leaves_no_trace(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 2500));
        pop(&ring, 'a', 2500);
        assert(put(&ring, 'b', 500));
        assert(ring_reserve(&ring, 2000)); /* wraps */
        assert(put(&ring, 'c', 8));
        pop(&ring, 'b', 500);
        pop(&ring, 'c', 8);
        assert(ring_used(&ring) == 0);
}

static void test_a_quarter_fits_into_an_empty_ring_wherever_it_stands(void)
{
        struct ring ring = empty_ring();

        for (size_t i = 0; i < 1000; i++) {
                assert(put(&ring, 'a', 8 * (i % 7)));
                pop(&ring, 'a', 8 * (i % 7));
                assert(put(&ring, 'b', ring_capacity(&ring) / 4));
                pop(&ring, 'b', ring_capacity(&ring) / 4);
        }
}

static void test_the_ring_holds_an_end_from_the_commit_on_and_for_ever(void)
{
        struct ring ring = empty_ring();
        uint64_t end;

        assert(ring_reserve(&ring, 100));
        end = ring_end(&ring, 100);
        assert(!ring_holds(&ring, end));
        assert(ring_commit(&ring, 100, KIND, WHEN_USEC)); /* nothing else waited */
        assert(ring_holds(&ring, end));
        assert(ring_reserve(&ring, 100) && !ring_holds(&ring, ring_end(&ring, 100)));
        assert(!ring_commit(&ring, 100, KIND, WHEN_USEC));
        ring_resend(&ring);
        for (int i = 0; i < 2; i++) {
                struct ring_entry entry;

                assert(ring_next(&ring, &entry));
                ring_sent(&ring, &entry);
        }
        assert(forget(&ring, 0, false) == 2);
        assert(ring_holds(&ring, end) && !ring_holds(&ring, 2 * end + RING_ALIGNMENT));
}

static void test_what_is_sent_stays_until_it_is_forgotten(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 1500) && put(&ring, 'b', 1500));
        send_next(&ring, 'a', 1500, false);
        assert(ring_unforgotten(&ring) >= 1500 && ring_waiting(&ring));
        send_next(&ring, 'b', 1500, false);
        assert(!ring_waiting(&ring) && !ring_reserve(&ring, 1500));
        assert(forget(&ring, 0, false) == 2 && ring_used(&ring) == 0);
        assert(put(&ring, 'c', 1500));
}

static void test_forgetting_keeps_what_may_be_unread(void)
{
        struct ring ring = empty_ring();

        for (unsigned char byte = 'a'; byte <= 'd'; byte++) {
                assert(put(&ring, byte, 84)); /* 112 with its header and padding */
                send_next(&ring, byte, 84, false);
        }
        assert(forget(&ring, UINT64_MAX, false) == 0 && forget(&ring, 1000, false) == 0);
        assert(forget(&ring, 448, false) == 0);
        assert(forget(&ring, 336, false) == 1); /* whole records only */
        assert(forget(&ring, 113, false) == 1);
        assert(forget(&ring, 1, false) == 1 && forget(&ring, 1, false) == 0);
        assert(forget(&ring, 0, false) == 1 && ring_used(&ring) == 0);
}

static void test_forgetting_keeps_the_newest_of_what_was_read(void)
{
        struct ring ring = empty_ring();

        for (unsigned char byte = 'a'; byte <= 'd'; byte++) {
                assert(put(&ring, byte, 84));
                send_next(&ring, byte, 84, false);
        }
        assert(forget(&ring, 112, true) == 2); /* d is unread, c may not be written down */
        assert(forget(&ring, 112, true) == 0);
        assert(forget(&ring, 0, true) == 1 && forget(&ring, 0, true) == 0);
        assert(forget(&ring, 0, false) == 1 && ring_used(&ring) == 0);
}

static void test_what_is_sent_again_says_so_and_what_is_new_does_not(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 10) && put(&ring, 'b', 10));
        send_next(&ring, 'a', 10, false);
        ring_resend(&ring);
        assert(put(&ring, 'c', 10));
        send_next(&ring, 'a', 10, true);
        send_next(&ring, 'b', 10, false);
        ring_resend(&ring);
        ring_resend(&ring); /* as if nothing had listened meanwhile */
        send_next(&ring, 'a', 10, true);
        send_next(&ring, 'b', 10, true);
        send_next(&ring, 'c', 10, false);
        assert(forget(&ring, 0, false) == 3);
}

static void test_adopting_sends_again_what_was_tried(void)
{
        struct ring ring = empty_ring();
        struct ring_entry entry;

        for (unsigned char byte = 'a'; byte <= 'd'; byte++)
                assert(put(&ring, byte, 10));
        pop(&ring, 'a', 10);
        send_next(&ring, 'b', 10, false);
        entry = expect_next(&ring, 'c', 10, false);
        ring_try(&ring, &entry); /* killed before or after sendmsg() */

        ring = handle(sizeof(memory.data));
        assert(ring_adopt(&ring) == 0);
        send_next(&ring, 'b', 10, true);
        send_next(&ring, 'c', 10, true);
        send_next(&ring, 'd', 10, false);
        assert(!ring_next(&ring, &entry) && forget(&ring, 0, false) == 3);
}

static void test_what_was_retracted_was_not_tried(void)
{
        struct ring ring = empty_ring();
        struct ring_entry entry;

        assert(put(&ring, 'a', 10));
        entry = expect_next(&ring, 'a', 10, false);
        ring_try(&ring, &entry);
        ring_retract(&ring);
        ring = handle(sizeof(memory.data));
        assert(ring_adopt(&ring) == 0);
        (void)expect_next(&ring, 'a', 10, false);
}

static void test_adopting_twice_is_as_adopting_once(void)
{
        struct ring ring = empty_ring();

        assert(put(&ring, 'a', 10) && put(&ring, 'b', 10));
        send_next(&ring, 'a', 10, false);
        for (int i = 0; i < 2; i++) {
                ring = handle(sizeof(memory.data));
                assert(ring_adopt(&ring) == 0);
                (void)expect_next(&ring, 'a', 10, true);
        }
        send_next(&ring, 'a', 10, true);
        (void)expect_next(&ring, 'b', 10, false);
}

static void model_step(struct ring *ring, struct model *model, uint32_t *random)
{
        size_t size = next_random(random) % (next_random(random) % 8 == 0 ? 1000 : 60);
        unsigned char byte = (unsigned char)next_random(random);

        if (model->n < MODEL_MAX && next_random(random) % 16 < 9 && put(ring, byte, size)) {
                size_t last = (model->first + model->n++) % MODEL_MAX;

                model->sizes[last] = size;
                model->bytes[last] = byte;
        } else if (model->n > 0) {
                pop(ring, model->bytes[model->first], model->sizes[model->first]);
                model->first = (model->first + 1) % MODEL_MAX;
                model->n--;
        }
        assert((ring_used(ring) == 0) == (model->n == 0));
        assert(ring_used(ring) <= ring_capacity(ring));
}

/* Whoever adopts meets exactly the records of the model, and another time. */
static void model_adopt(struct ring *ring, const struct model *model)
{
        *ring = handle(ring->capacity);
        assert(ring_adopt(ring) == 0);
        for (size_t i = 0; i < model->n; i++) {
                size_t at = (model->first + i) % MODEL_MAX;
                struct ring_entry entry =
                        expect_next(ring, model->bytes[at], model->sizes[at], false);

                ring_sent(ring, &entry); /* untried, so that no mark stays */
        }
        assert(!ring_waiting(ring));
        atomic_store(&ring->positions->sent, atomic_load(&ring->positions->head));
}

static void test_random_sequences_do_as_the_model(void)
{
        for (uint32_t seed = 1; seed <= 20; seed++) {
                struct ring ring;
                struct model model = {0};
                uint32_t random = seed;

                (void)empty_ring();
                ring = handle(sizeof(memory.data) - seed % 40);
                for (int i = 0; i < 5000; i++) {
                        model_step(&ring, &model, &random);
                        if (i % 100 == 0)
                                model_adopt(&ring, &model);
                }
        }
}

int main(void)
{
        test_empty_ring_holds_nothing();
        test_a_record_of_no_bytes_is_a_record();
        test_a_record_that_does_not_fit_changes_nothing();
        test_a_reservation_that_is_not_committed_leaves_no_trace();
        test_a_quarter_fits_into_an_empty_ring_wherever_it_stands();
        test_the_ring_holds_an_end_from_the_commit_on_and_for_ever();
        test_what_is_sent_stays_until_it_is_forgotten();
        test_forgetting_keeps_what_may_be_unread();
        test_forgetting_keeps_the_newest_of_what_was_read();
        test_what_is_sent_again_says_so_and_what_is_new_does_not();
        test_adopting_sends_again_what_was_tried();
        test_what_was_retracted_was_not_tried();
        test_adopting_twice_is_as_adopting_once();
        test_random_sequences_do_as_the_model();
        return 0;
}
