/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: what is written is read, in order and whole; nobody waits for ever. */
#include "app/stream.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 64 << 10, MANY = 1 << 20 };

struct scene {
        struct stream *stream;
        atomic_uint news;
        atomic_bool done;
        int result;
        size_t size; /* to write */
};

static void on_news(void *data)
{
        struct scene *scene = data;

        atomic_fetch_add(&scene->news, 1);
}

static void begin_with(struct scene *scene, struct stream_terms *terms)
{
        memset(scene, 0, sizeof(*scene));
        scene->stream = stream_new(on_news, scene, terms);
        assert(scene->stream);
}

static void begin(struct scene *scene)
{
        begin_with(scene, NULL);
}

static char byte_at(size_t i)
{
        return (char)(i * 7 + i / 251);
}

static void *write_all(void *data)
{
        struct scene *scene = data;
        char piece[1000];

        for (size_t i = 0; i < scene->size && scene->result == 0; i += sizeof(piece)) {
                size_t n = scene->size - i < sizeof(piece) ? scene->size - i : sizeof(piece);

                for (size_t k = 0; k < n; k++)
                        piece[k] = byte_at(i + k);
                scene->result = stream_write(scene->stream, piece, n);
        }
        stream_end(scene->stream, 0);
        atomic_store(&scene->done, true);
        return NULL;
}

/* What is there, up to what comes instead of bytes. */
static ssize_t read_on(struct scene *scene, size_t *got)
{
        char bytes[777];
        ssize_t n;

        while ((n = stream_read(scene->stream, bytes, sizeof(bytes))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        assert(bytes[i] == byte_at((*got)++));
        return n;
}

static void test_all_arrives_in_order(void)
{
        struct scene scene;
        char bytes[777];
        pthread_t writer;
        size_t got = 0;
        ssize_t n;

        begin(&scene);
        scene.size = MANY + 1;
        assert(pthread_create(&writer, NULL, write_all, &scene) == 0);
        while ((n = stream_read(scene.stream, bytes, sizeof(bytes))) >= 0) {
                for (ssize_t i = 0; i < n; i++)
                        assert(bytes[i] == byte_at(got++));
        }
        assert(n == STREAM_END && got == scene.size);
        assert(stream_read(scene.stream, bytes, 1) == STREAM_END);
        assert(pthread_join(writer, NULL) == 0 && scene.result == 0);
        stream_free(scene.stream);
}

static void test_news_only_for_a_reader_that_found_nothing(void)
{
        struct scene scene;
        char bytes[8];

        begin(&scene);
        assert(stream_write(scene.stream, "ab", 2) == 0 && scene.news == 0);
        assert(stream_read(scene.stream, bytes, 8) == 2 && memcmp(bytes, "ab", 2) == 0);
        assert(stream_read(scene.stream, bytes, 8) == STREAM_NOTHING);
        assert(stream_write(scene.stream, "", 0) == 0 && scene.news == 0);
        assert(stream_write(scene.stream, "c", 1) == 0 && scene.news == 1);
        assert(stream_write(scene.stream, "d", 1) == 0 && scene.news == 1);
        assert(stream_read(scene.stream, bytes, 8) == 2);
        assert(stream_read(scene.stream, bytes, 8) == STREAM_NOTHING);
        stream_end(scene.stream, -EIO);
        assert(scene.news == 2 && stream_read(scene.stream, bytes, 8) == STREAM_FAILED);
        stream_free(scene.stream);
}

static void test_what_was_written_before_a_failure_is_read(void)
{
        struct scene scene;
        char bytes[8];

        begin(&scene);
        assert(stream_write(scene.stream, "abc", 3) == 0);
        stream_end(scene.stream, -EIO);
        assert(stream_read(scene.stream, bytes, 2) == 2 &&
               stream_read(scene.stream, bytes, 2) == 1);
        assert(stream_read(scene.stream, bytes, 2) == STREAM_FAILED);
        stream_free(scene.stream);
}

static void test_writer_waits_for_room_and_no_longer(void)
{
        struct scene scene;
        char bytes[1000];
        pthread_t writer;

        begin(&scene);
        scene.size = ROOM + 1;
        assert(pthread_create(&writer, NULL, write_all, &scene) == 0);
        (void)poll(NULL, 0, 50);
        assert(!atomic_load(&scene.done));
        assert(stream_read(scene.stream, bytes, sizeof(bytes)) == sizeof(bytes));
        assert(pthread_join(writer, NULL) == 0 && scene.result == 0);
        stream_free(scene.stream);
}

static void test_writer_is_told_that_the_reader_has_gone(void)
{
        struct scene scene;
        pthread_t writer;

        begin(&scene);
        scene.size = MANY;
        assert(pthread_create(&writer, NULL, write_all, &scene) == 0);
        (void)poll(NULL, 0, 50);
        stream_break(scene.stream);
        assert(pthread_join(writer, NULL) == 0 && scene.result == -EPIPE);
        assert(stream_write(scene.stream, "x", 1) == -EPIPE);
        stream_free(scene.stream);
        stream_free(NULL);
        stream_break(NULL);
}

static void *take_all(void *data)
{
        struct scene *scene = data;
        char bytes[777];
        ssize_t n;

        while ((n = stream_take(scene->stream, bytes, sizeof(bytes))) > 0) {
                for (ssize_t i = 0; i < n; i++)
                        assert(bytes[i] == byte_at(scene->size++));
        }
        scene->result = (int)n;
        return NULL;
}

static void test_what_is_offered_is_taken_in_order(void)
{
        struct scene scene;
        char *bytes = malloc(MANY);
        pthread_t taker;

        assert(bytes);
        for (size_t i = 0; i < MANY; i++)
                bytes[i] = byte_at(i);
        begin(&scene);
        assert(pthread_create(&taker, NULL, take_all, &scene) == 0);
        for (size_t i = 0, told = 0, taken; i < MANY; i += taken) {
                taken = stream_offer(scene.stream, bytes + i, MANY - i);
                while (i + taken < MANY && atomic_load(&scene.news) == told)
                        (void)poll(NULL, 0, 1);
                told = atomic_load(&scene.news);
        }
        stream_end(scene.stream, 0);
        assert(pthread_join(taker, NULL) == 0 && scene.result == 0 && scene.size == MANY);
        stream_free(scene.stream);
        free(bytes);
}

static void test_room_is_told_when_half_of_it_is_free(void)
{
        struct scene scene;
        char bytes[ROOM] = "";

        begin(&scene);
        assert(stream_offer(scene.stream, bytes, ROOM) == ROOM);
        assert(stream_take(scene.stream, bytes, ROOM) == ROOM && scene.news == 0);
        assert(stream_offer(scene.stream, bytes, ROOM) == ROOM);
        assert(stream_offer(scene.stream, bytes, 1) == 0);
        assert(stream_take(scene.stream, bytes, ROOM / 4) == ROOM / 4 && scene.news == 0);
        assert(stream_take(scene.stream, bytes, ROOM / 4) == ROOM / 4 && scene.news == 1);
        assert(stream_offer(scene.stream, bytes, ROOM) == ROOM / 2);
        stream_free(scene.stream);
}

static void test_the_first_end_is_the_one_that_is_told(void)
{
        struct scene scene;
        char bytes[8];

        begin(&scene);
        assert(stream_offer(scene.stream, "abc", 3) == 3);
        stream_end(scene.stream, -EMSGSIZE);
        stream_end(scene.stream, -EPIPE);
        assert(stream_take(scene.stream, bytes, 8) == 3);
        assert(stream_take(scene.stream, bytes, 8) == -EMSGSIZE);
        stream_free(scene.stream);
        stream_end(NULL, 0);
}

static void test_what_nobody_takes_is_dropped(void)
{
        struct scene scene;
        static char bytes[2 * ROOM];

        begin(&scene);
        assert(stream_offer(scene.stream, bytes, sizeof(bytes)) == ROOM);
        stream_break(scene.stream);
        assert(scene.news == 1);
        assert(stream_offer(scene.stream, bytes, sizeof(bytes)) == sizeof(bytes));
        stream_free(scene.stream);
}

static void test_beyond_those_who_may_wait_bytes_go_into_a_file(void)
{
        struct stream_terms terms = {
                .waiters_max = 0, .spool_max = MANY, .patience_usec = 60 * 1000000U};
        struct scene scene;
        size_t got = 0;

        begin_with(&scene, &terms);
        scene.size = MANY;
        assert(!write_all(&scene) && scene.result == 0); /* nobody reads meanwhile */
        assert(read_on(&scene, &got) == STREAM_END && got == MANY);
        assert(!stream_gave_up(scene.stream));
        stream_free(scene.stream);
}

static void test_file_is_a_ring(void)
{
        struct stream_terms terms = {
                .waiters_max = 0, .spool_max = 100003, .patience_usec = 60 * 1000000U};
        struct scene scene;
        pthread_t writer;
        size_t got = 0;

        begin_with(&scene, &terms);
        scene.size = 3 * MANY;
        assert(pthread_create(&writer, NULL, write_all, &scene) == 0);
        while (read_on(&scene, &got) == STREAM_NOTHING)
                (void)poll(NULL, 0, 1); /* lets it fill again */
        assert(got == scene.size && scene.result == 0);
        assert(pthread_join(writer, NULL) == 0);
        stream_free(scene.stream);
}

static void test_reader_who_is_too_slow_loses_the_rest(void)
{
        struct stream_terms terms = {
                .waiters_max = 0, .spool_max = ROOM, .patience_usec = 10 * 1000U};
        struct scene scene;
        size_t got = 0;

        begin_with(&scene, &terms);
        scene.size = MANY;
        assert(!write_all(&scene) && scene.result == -EPIPE);
        assert(stream_gave_up(scene.stream));
        assert(read_on(&scene, &got) == STREAM_FAILED && got == (size_t)2 * ROOM);
        stream_free(scene.stream);
}

static void test_so_many_wait_as_long_as_it_takes(void)
{
        struct stream_terms terms = {
                .waiters_max = 1, .spool_max = ROOM, .patience_usec = 10 * 1000U};
        struct scene first, second;
        pthread_t writer;
        size_t got = 0;

        begin_with(&first, &terms);
        first.size = MANY;
        assert(pthread_create(&writer, NULL, write_all, &first) == 0);
        while (atomic_load(&terms.waiters) == 0)
                (void)poll(NULL, 0, 1);
        begin_with(&second, &terms);
        second.size = MANY;
        assert(!write_all(&second) && second.result == -EPIPE);
        assert(!atomic_load(&first.done));
        while (read_on(&first, &got) == STREAM_NOTHING)
                (void)poll(NULL, 0, 1);
        assert(pthread_join(writer, NULL) == 0 && first.result == 0 && got == MANY);
        assert(atomic_load(&terms.waiters) == 0);
        stream_free(first.stream);
        stream_free(second.stream);
}

int main(void)
{
        test_beyond_those_who_may_wait_bytes_go_into_a_file();
        test_file_is_a_ring();
        test_reader_who_is_too_slow_loses_the_rest();
        test_so_many_wait_as_long_as_it_takes();
        test_all_arrives_in_order();
        test_news_only_for_a_reader_that_found_nothing();
        test_what_was_written_before_a_failure_is_read();
        test_writer_waits_for_room_and_no_longer();
        test_writer_is_told_that_the_reader_has_gone();
        test_what_is_offered_is_taken_in_order();
        test_room_is_told_when_half_of_it_is_free();
        test_the_first_end_is_the_one_that_is_told();
        test_what_nobody_takes_is_dropped();
        return 0;
}
