/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring against a model: whole records, in order, nothing overwritten. */
#include "log/ring.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MEMORY_SIZE 4096
#define MODEL_MAX   1024

static alignas(8) unsigned char memory[MEMORY_SIZE];

/* What the ring should hold: a record is its size and the byte that fills it. */
struct model {
        size_t sizes[MODEL_MAX];
        unsigned char bytes[MODEL_MAX];
        size_t first, n;
};

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
        assert(room > memory && room + size <= memory + sizeof(memory));
        memset(room, byte, size);
        ring_commit(ring, size);
        return true;
}

static void expect_oldest(const struct ring *ring, unsigned char byte, size_t size)
{
        size_t found;
        const unsigned char *record = ring_peek(ring, &found);

        assert(record && found == size);
        for (size_t i = 0; i < size; i++)
                assert(record[i] == byte);
}

static void test_empty_ring_holds_nothing(void)
{
        struct ring *ring = ring_init(memory, sizeof(memory));
        size_t size;

        assert(!ring_peek(ring, &size));
        ring_pop(ring);
        assert(ring_used(ring) == 0 && ring_capacity(ring) > MEMORY_SIZE - 128);
}

static void test_used_memory_is_taken_as_empty(void)
{
        struct ring *ring;
        size_t size;

        memset(memory, 0xff, sizeof(memory));
        ring = ring_init(memory, sizeof(memory));
        assert(!ring_peek(ring, &size));
        assert(put(ring, 'a', 0));
        expect_oldest(ring, 'a', 0);
}

static void test_a_record_that_does_not_fit_changes_nothing(void)
{
        struct ring *ring = ring_init(memory, sizeof(memory));

        assert(put(ring, 'a', 3000));
        assert(!ring_reserve(ring, 3000) && !ring_reserve(ring, SIZE_MAX) &&
               !ring_reserve(ring, SIZE_MAX - 8));
        expect_oldest(ring, 'a', 3000);
        ring_pop(ring);
        assert(ring_used(ring) == 0);
}

static void test_a_reservation_that_is_not_committed_leaves_no_trace(void)
{
        struct ring *ring = ring_init(memory, sizeof(memory));

        assert(put(ring, 'a', 2500));
        ring_pop(ring);
        assert(put(ring, 'b', 500));
        assert(ring_reserve(ring, 2000)); /* wraps */
        assert(put(ring, 'c', 8));
        expect_oldest(ring, 'b', 500);
        ring_pop(ring);
        expect_oldest(ring, 'c', 8);
        ring_pop(ring);
        assert(ring_used(ring) == 0);
}

static void test_a_quarter_fits_into_an_empty_ring_wherever_it_stands(void)
{
        struct ring *ring = ring_init(memory, sizeof(memory));

        for (size_t i = 0; i < 1000; i++) {
                assert(put(ring, 'a', 8 * (i % 7)));
                ring_pop(ring);
                assert(put(ring, 'b', ring_capacity(ring) / 4));
                expect_oldest(ring, 'b', ring_capacity(ring) / 4);
                ring_pop(ring);
        }
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
                expect_oldest(ring, model->bytes[model->first], model->sizes[model->first]);
                ring_pop(ring);
                model->first = (model->first + 1) % MODEL_MAX;
                model->n--;
        }
        assert((ring_used(ring) == 0) == (model->n == 0));
        assert(ring_used(ring) <= ring_capacity(ring));
}

static void test_random_sequences_do_as_the_model(void)
{
        for (uint32_t seed = 1; seed <= 20; seed++) {
                struct ring *ring = ring_init(memory, sizeof(memory) - seed % 9);
                struct model model = {0};
                uint32_t random = seed;

                for (int i = 0; i < 5000; i++)
                        model_step(ring, &model, &random);
        }
}

int main(void)
{
        test_empty_ring_holds_nothing();
        test_used_memory_is_taken_as_empty();
        test_a_record_that_does_not_fit_changes_nothing();
        test_a_reservation_that_is_not_committed_leaves_no_trace();
        test_a_quarter_fits_into_an_empty_ring_wherever_it_stands();
        test_random_sequences_do_as_the_model();
        return 0;
}
