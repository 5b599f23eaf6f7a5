/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told of a process that ended, and of the requests that ended with it. */
#include "master/obituary.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "test_log_journald.h"

enum { SLOTS = 40, OTHER_THREAD = 4242, ANY_THREAD = 4000 };

struct scene {
        struct box *box;
        struct flights flights;
        struct death death;
        struct obituary texts;
        struct entry entry; /* the last record */
};

/* A worker that was killed by SIGSEGV after 1.5 s. */
static struct scene *scene_new(void)
{
        static const struct box_layout layout = {.n_flights = SLOTS};
        struct scene *scene = calloc(1, sizeof(*scene));

        assert(scene && box_new(&scene->box, &layout) == 0);
        assert(flights_init(&scene->flights, scene->box->flights, SLOTS,
                            &scene->box->header->flights_used) == 0);
        scene->death = (struct death){
                .subject = {.worker_pid = 77, .worker_id = 3, .generation = 2},
                .known = true,
                .how = {.si_code = CLD_KILLED, .si_status = SIGSEGV},
                .age_usec = 1500000,
        };
        return scene;
}

static void scene_end(struct scene *scene)
{
        entry_free(&scene->entry);
        flights_done(&scene->flights);
        box_free(scene->box);
        free(scene);
}

static const struct entry *encoded(struct scene *scene, const struct record *record)
{
        struct entry *entry = &scene->entry;

        assert(record->error == 0);
        entry_free(entry);
        entry->size = record_encoded_size(record);
        entry->bytes = malloc(entry->size);
        assert(entry->bytes);
        record_encode(record, entry->bytes);
        return entry;
}

/* The event, as journald gets it. */
static const struct entry *told(struct scene *scene)
{
        struct record record;

        scene->texts = (struct obituary){0};
        obituary_record(&record, &scene->texts, &scene->death, scene->box);
        return encoded(scene, &record);
}

static const char *text_of(const struct entry *entry, const char *name)
{
        static char text[16384];
        struct record_field field;

        assert(entry_find(entry, name, &field) == 1 && field.size < sizeof(text));
        memcpy(text, field.value, field.size);
        text[field.size] = '\0';
        return text;
}

static bool lacks(const struct entry *entry, const char *name)
{
        struct record_field field;

        return entry_find(entry, name, &field) == 0;
}

static struct flight *fly(struct scene *scene, const char *id, const char *target,
                          enum flight_state state)
{
        struct flight *flight =
                flight_begin(&scene->flights, id, "192.0.2.1", target, strlen(target), now_usec());

        assert(flight);
        flight_describe(flight, "GET", "HTTP/1.1", "shop");
        flight_set_state(flight, state);
        if (state == FLIGHT_RUNNING)
                atomic_store(&flight->thread, ANY_THREAD);
        return flight;
}

/* -- how it ended -- */

struct ending {
        int code;
        int status;
        bool leaving;
        const char *event;
        const char *field;
        const char *value;
        const char *message;
};

static void test_causes_are_told_apart(void)
{
        struct scene *scene = scene_new();

        scene->death.how.si_status = SIGKILL;
        assert(entry_has(told(scene), "CAUSE", "signal"));
        scene->death.oom = true;
        assert(entry_has(told(scene), "CAUSE", "out-of-memory"));
        assert(entry_has(&scene->entry, "SIGNAL", "KILL"));
        assert(entry_has(&scene->entry, "MESSAGE",
                         "Worker 3 (pid 77) died: out of memory, signal KILL, 1.5 s old"));
        scene->death.oom = false;
        scene->death.cut = true;
        assert(entry_has(told(scene), "CAUSE", "graceful-timeout"));
        scene->death.hung = true;
        assert(entry_has(told(scene), "CAUSE", "hung"));
        scene->death.cut = scene->death.hung = false;
        scene->death.how.si_code = CLD_EXITED;
        assert(entry_has(told(scene), "CAUSE", "exit-code"));
        scene->death.known = false;
        assert(entry_has(told(scene), "CAUSE", "service-killed"));
        scene_end(scene);
}

static void test_each_way_to_end_is_told_apart(void)
{
        static const struct ending endings[] = {
                {CLD_EXITED, 0, true, "worker-exited", "EXIT_CODE", "0",
                 "Worker 3 (pid 77) has ended"},
                {CLD_EXITED, 0, false, "worker-died", "EXIT_CODE", "0",
                 "Worker 3 (pid 77) died: exit code 0, 1.5 s old"},
                {CLD_EXITED, 70, true, "worker-died", "EXIT_CODE", "70",
                 "Worker 3 (pid 77) died: exit code 70, 1.5 s old"},
                {CLD_KILLED, SIGKILL, true, "worker-died", "SIGNAL", "KILL",
                 "Worker 3 (pid 77) died: signal KILL, 1.5 s old"},
                {CLD_DUMPED, SIGSEGV, false, "worker-died", "SIGNAL", "SEGV",
                 "Worker 3 (pid 77) died: signal SEGV, core dumped, 1.5 s old"},
                {CLD_KILLED, 40, false, "worker-died", "SIGNAL", "unknown",
                 "Worker 3 (pid 77) died: signal unknown, 1.5 s old"},
        };
        struct scene *scene = scene_new();

        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
                const struct ending *ending = &endings[i];
                const struct entry *entry;

                scene->death.how.si_code = ending->code;
                scene->death.how.si_status = ending->status;
                scene->death.leaving = ending->leaving;
                entry = told(scene);
                assert(entry_has(entry, "EVENT", ending->event));
                assert(entry_has(entry, "WORKER_PID", "77") && entry_has(entry, "WORKER_ID", "3") &&
                       entry_has(entry, "GENERATION", "2") &&
                       entry_has(entry, "AGE_USEC", "1500000"));
                assert(entry_has(entry, ending->field, ending->value));
                assert(lacks(entry, "SIGNAL") != lacks(entry, "EXIT_CODE"));
                assert(entry_has(entry, "MESSAGE", ending->message));
        }
        scene_end(scene);
}

static void test_core_is_named_when_one_was_dumped(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry;

        (void)snprintf(scene->death.core, sizeof(scene->death.core), "coredumpctl info 77");
        assert(lacks(told(scene), "COREDUMP"));
        scene->death.how.si_code = CLD_DUMPED;
        entry = told(scene);
        assert(entry_has(entry, "COREDUMP", "coredumpctl info 77"));
        assert(entry_has(entry, "MESSAGE",
                         "Worker 3 (pid 77) died: signal SEGV, core dumped (coredumpctl info 77), "
                         "1.5 s old"));
        scene->death.core[0] = '\0'; /* as somebody else's handler does */
        entry = told(scene);
        assert(lacks(entry, "COREDUMP"));
        assert(strstr(text_of(entry, "MESSAGE"), "signal SEGV, core dumped, 1.5 s old"));
        scene_end(scene);
}

static void test_worker_that_was_discarded_ended_well_however_it_ended(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry;

        scene->death.how.si_status = SIGTERM;
        scene->death.discarded = true;
        entry = told(scene);
        assert(entry_has(entry, "EVENT", "worker-exited") && entry_has(entry, "SIGNAL", "TERM"));
        assert(entry_has(entry, "MESSAGE",
                         "Worker 3 (pid 77) is not needed any more, it was not ready yet"));
        assert(lacks(entry, "IN_FLIGHT") && lacks(entry, "STACK"));
        scene_end(scene);
}

/* A former master's worker: the handler of its fatal signal is the only witness. */
static void test_signal_of_an_unknown_death_is_what_its_handler_noted(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry;

        scene->death.known = false;
        atomic_store(&scene->box->header->crash.signal, SIGBUS);
        entry = told(scene);
        assert(entry_has(entry, "EVENT", "worker-died") && entry_has(entry, "SIGNAL", "BUS"));
        assert(entry_has(entry, "MESSAGE", "Worker 3 (pid 77) died: signal BUS, 1.5 s old"));

        atomic_store(&scene->box->header->crash.signal, 0);
        scene->death.leaving = true; /* says nothing of how it went on */
        entry = told(scene);
        assert(lacks(entry, "SIGNAL") && lacks(entry, "EXIT_CODE"));
        assert(entry_has(entry, "MESSAGE",
                         "Worker 3 (pid 77) died: killed with the service, 1.5 s old"));

        atomic_store(&scene->box->header->crash.signal, INT32_MIN);
        assert(lacks(told(scene), "SIGNAL"));
        atomic_store(&scene->box->header->crash.signal, INT32_MAX);
        assert(entry_has(told(scene), "SIGNAL", "unknown"));
        scene_end(scene);
}

static void test_of_a_master_only_its_death_is_told(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry;

        scene->death.subject = (struct record_subject){.worker_pid = 50};
        scene->death.known = false;
        entry = told(scene);
        assert(entry_has(entry, "EVENT", "master-died"));
        assert(entry_has(entry, "MESSAGE",
                         "The former master (pid 50) ended without stopping the service"));
        assert(lacks(entry, "IN_FLIGHT") && lacks(entry, "SIGNAL"));
        scene_end(scene);
}

/* -- the request that it was hit in -- */

static void test_request_of_the_thread_that_was_hit_is_the_culprit(void)
{
        struct scene *scene = scene_new();
        struct flight *flight;
        const char *message;

        (void)fly(scene, "one", "/good", FLIGHT_RUNNING);
        flight = fly(scene, "two", "/bad?x=1", FLIGHT_RUNNING);
        atomic_store(&flight->thread, OTHER_THREAD);
        (void)fly(scene, "three", "/waits", FLIGHT_WAITING);
        atomic_store(&scene->box->header->crash.thread, OTHER_THREAD);

        message = text_of(told(scene), "MESSAGE");
        assert(strcmp(message, "Worker 3 (pid 77) died: signal SEGV, 1.5 s old, in GET /bad?x=1 "
                               "from 192.0.2.1 (request two); 2 more requests in flight") == 0);

        /* The thread is done with it, or is another one. */
        flight_set_state(flight, FLIGHT_ANSWERED);
        message = text_of(told(scene), "MESSAGE");
        assert(strcmp(message, "Worker 3 (pid 77) died: signal SEGV, 1.5 s old; 3 requests in "
                               "flight") == 0);
        scene_end(scene);
}

/* Requests that their application is done with wait for the loop to collect them. */
static void test_request_that_is_done_is_not_the_culprit(void)
{
        struct scene *scene = scene_new();
        struct flight *flight;

        for (unsigned i = 0; i < 3; i++) {
                char id[16];

                (void)snprintf(id, sizeof(id), "done-%u", i);
                flight = fly(scene, id, "/good", FLIGHT_RUNNING);
                atomic_store(&flight->thread, OTHER_THREAD);
                flight_rest(flight);
        }
        flight = fly(scene, "bad", "/bad", FLIGHT_RUNNING);
        atomic_store(&flight->thread, OTHER_THREAD);
        for (int thread = 0; thread <= OTHER_THREAD; thread += OTHER_THREAD) {
                atomic_store(&scene->box->header->crash.thread, thread);
                assert(strstr(text_of(told(scene), "MESSAGE"),
                              "in GET /bad from 192.0.2.1 (request bad); 3 more requests"));
        }
        flight_rest(flight);
        assert(strstr(text_of(told(scene), "MESSAGE"), "old; 4 requests in flight"));
        scene_end(scene);
}

static void test_hit_beside_the_applications_has_no_culprit(void)
{
        struct scene *scene = scene_new();

        atomic_store(&fly(scene, "one", "/", FLIGHT_RUNNING)->thread, OTHER_THREAD);
        atomic_store(&scene->box->header->crash.thread, OTHER_THREAD + 1);
        assert(strstr(text_of(told(scene), "MESSAGE"), "old; 1 request in flight"));
        scene_end(scene);
}

static void test_request_that_is_alone_is_the_culprit(void)
{
        struct scene *scene = scene_new();
        struct flight *flight = fly(scene, "alone", "/", FLIGHT_RUNNING);
        const char *message = text_of(told(scene), "MESSAGE");

        assert(strcmp(message, "Worker 3 (pid 77) died: signal SEGV, 1.5 s old, in GET / from "
                               "192.0.2.1 (request alone)") == 0);
        flight_set_state(flight, FLIGHT_WAITING);
        assert(strstr(text_of(told(scene), "MESSAGE"), "old; 1 request in flight"));
        scene_end(scene);
}

static void test_request_that_is_alone_in_the_application_is_the_culprit(void)
{
        struct scene *scene = scene_new();

        (void)fly(scene, "early", "/arrives", FLIGHT_BEGUN);
        (void)fly(scene, "alone", "/", FLIGHT_RUNNING);
        (void)fly(scene, "late", "/waits", FLIGHT_WAITING);
        (void)fly(scene, "over", "/answered", FLIGHT_ANSWERED);
        assert(strstr(text_of(told(scene), "MESSAGE"),
                      "in GET / from 192.0.2.1 (request alone); 3 more requests in flight"));
        scene_end(scene);
}

static void test_one_of_two_that_run_is_not_the_culprit(void)
{
        struct scene *scene = scene_new();

        (void)fly(scene, "one", "/", FLIGHT_RUNNING);
        (void)fly(scene, "two", "/", FLIGHT_RUNNING);
        assert(strstr(text_of(told(scene), "MESSAGE"), "old; 2 requests in flight"));
        scene_end(scene);
}

/* -- the list of requests -- */

static void test_each_request_in_flight_is_listed(void)
{
        struct scene *scene = scene_new();
        struct record_field field;
        const struct entry *entry;
        const char *requests;

        flight_answer(fly(scene, "one", "/first", FLIGHT_RUNNING), 200, 5);
        (void)flight_begin(&scene->flights, "two", "", NULL, 0, now_usec() - 2000000);
        flight_end(&scene->flights, fly(scene, "over", "/over", FLIGHT_ANSWERED));
        entry = told(scene);
        assert(entry_has(entry, "IN_FLIGHT", "2"));
        assert(entry_find(entry, "REQUEST_ID", &field) == 2 && field.size == 3 &&
               memcmp(field.value, "one", 3) == 0);
        requests = text_of(entry, "REQUESTS");
        assert(strncmp(requests, "one GET /first from 192.0.2.1, answered, ", 41) == 0);
        assert(strstr(requests, " ms\ntwo -  from -, arriving, 2000 ms"));
        assert(!strstr(requests, "over"));
        scene_end(scene);
}

static void test_without_requests_there_is_no_list(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry = told(scene);

        assert(entry_has(entry, "IN_FLIGHT", "0") && lacks(entry, "REQUESTS") &&
               lacks(entry, "REQUEST_ID"));
        scene_end(scene);
}

static unsigned count(const char *text, const char *part)
{
        unsigned n = 0;

        for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
                n++;
        return n;
}

static void test_of_many_requests_some_are_listed_and_all_are_counted(void)
{
        struct scene *scene = scene_new();
        struct record_field field;
        const struct entry *entry;
        char id[16];

        for (unsigned i = 0; i < SLOTS; i++) {
                (void)snprintf(id, sizeof(id), "id-%u", i);
                (void)fly(scene, id, "/", FLIGHT_RUNNING);
        }
        entry = told(scene);
        assert(entry_has(entry, "IN_FLIGHT", "40"));
        assert(entry_find(entry, "REQUEST_ID", &field) == OBITUARY_REQUESTS_MAX);
        assert(count(text_of(entry, "REQUESTS"), "id-") == OBITUARY_REQUESTS_MAX);
        assert(strstr(text_of(entry, "MESSAGE"), "; 40 requests in flight"));
        scene_end(scene);
}

static void test_list_of_the_longest_requests_is_whole(void)
{
        struct scene *scene = scene_new();
        const char *requests;
        char target[2000];

        memset(target, 'x', sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        for (unsigned i = 0; i < SLOTS; i++) {
                struct flight *flight = flight_begin(
                        &scene->flights, "0123456789abcdef0123456789abcdef",
                        "2001:db8:1111:2222:3333:4444:5555:6666%eth0", target, strlen(target), 0);

                flight_describe(flight, "VERSION-CONTROL", "HTTP/1.1", NULL);
                flight_set_state(flight, FLIGHT_ANSWERED);
        }
        requests = text_of(told(scene), "REQUESTS");
        assert(count(requests, "0123456789abcdef0") == OBITUARY_REQUESTS_MAX &&
               count(requests, " ms") == OBITUARY_REQUESTS_MAX &&
               count(requests, "... from ") == OBITUARY_REQUESTS_MAX);
        scene_end(scene);
}

static void test_target_that_is_too_long_for_the_list_is_marked(void)
{
        struct scene *scene = scene_new();
        char target[500];

        memset(target, 'x', sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        (void)fly(scene, "one", target, FLIGHT_RUNNING);
        assert(strstr(text_of(told(scene), "REQUESTS"), "xxx... from "));
        assert(strstr(text_of(told(scene), "MESSAGE"), "xxx... from "));
        target[300] = '\0';
        (void)fly(scene, "two", target, FLIGHT_RUNNING);
        assert(strstr(text_of(told(scene), "REQUESTS"), "xxx from "));
        scene_end(scene);
}

static void test_what_a_client_wrote_stays_on_its_line(void)
{
        struct scene *scene = scene_new();
        const char *requests;

        (void)fly(scene, "one", "/a\nMESSAGE=b\x01\xff \\", FLIGHT_RUNNING);
        requests = text_of(told(scene), "REQUESTS");
        assert(count(requests, "\n") == 0);
        assert(strstr(requests, "GET /a\\x0aMESSAGE=b\\x01\\xff\\x20\\x5c from"));
        assert(strstr(text_of(told(scene), "MESSAGE"),
                      "in GET /a\\x0aMESSAGE=b\\x01\\xff\\x20\\x5c from 192.0.2.1 (request one)"));
        scene_end(scene);
}

/* -- the stack -- */

static void write_stack(const struct scene *scene, const char *text, size_t size)
{
        size_t at = (size_t)(scene->box->stack - (const char *)scene->box->header);

        memset((char *)scene->box->header + at, 0, BOX_STACK_SIZE);
        memcpy((char *)scene->box->header + at, text, size);
}

static void test_stack_is_told_without_its_last_newlines(void)
{
        struct scene *scene = scene_new();
        char *full = malloc(BOX_STACK_SIZE);
        struct record_field field;

        assert(lacks(told(scene), "STACK"));
        write_stack(scene, "#0 f\n#1 main\n\n", 14);
        assert(entry_has(told(scene), "STACK", "#0 f\n#1 main"));
        write_stack(scene, "\n\n", 2);
        assert(lacks(told(scene), "STACK"));

        assert(full);
        memset(full, 's', BOX_STACK_SIZE); /* and no NUL behind it */
        write_stack(scene, full, BOX_STACK_SIZE);
        assert(entry_find(told(scene), "STACK", &field) == 1 && field.size == BOX_STACK_SIZE - 1);
        free(full);
        scene_end(scene);
}

/* -- whatever the box holds -- */

static void test_record_of_a_scribbled_box_is_sound(void)
{
        struct scene *scene = scene_new();
        unsigned char *bytes = (unsigned char *)scene->box->flights;
        unsigned seed = 1;

        for (unsigned round = 0; round < 300; round++) {
                for (size_t i = 0; i < SLOTS * sizeof(struct flight); i++)
                        bytes[i] = (unsigned char)(rand_r(&seed) >> 8) | 1U;
                for (unsigned i = 0; i < SLOTS; i++)
                        atomic_store(&scene->box->flights[i].state, (unsigned)rand_r(&seed) % 7);
                atomic_store(&scene->box->header->flights_used, (unsigned)rand_r(&seed) % 80);
                atomic_store(&scene->box->header->crash.thread, round % 2);
                write_stack(scene, (const char *)bytes, BOX_STACK_SIZE);
                assert(entry_number(told(scene), "IN_FLIGHT") <= SLOTS);
                assert(lacks(&scene->entry, "REQUESTS") ||
                       count(text_of(&scene->entry, "REQUESTS"), "\n") < OBITUARY_REQUESTS_MAX);
        }
        scene_end(scene);
}

/* -- the access record of one request -- */

static const struct entry *access_of(struct scene *scene, const struct flight *flight)
{
        struct arena arena = {0};
        struct request request;
        struct record record;
        struct flight copy;

        assert(flight_read(flight, &copy));
        obituary_access(&record, &request, &copy, &scene->death, &arena);
        (void)encoded(scene, &record);
        arena_free(&arena);
        return &scene->entry;
}

static void test_request_without_an_answer_died_with_its_worker(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry = access_of(scene, fly(scene, "one", "/a?b", FLIGHT_RUNNING));
        const char *message;

        assert(entry_has(entry, "RECORD", "access") && entry_has(entry, "PRIORITY", "3"));
        assert(entry_has(entry, "WORKER_PID", "77") && entry_has(entry, "REQUEST_ID", "one") &&
               entry_has(entry, "REMOTE_ADDR", "192.0.2.1") && entry_has(entry, "APP", "shop") &&
               entry_has(entry, "HTTP_METHOD", "GET"));
        assert(entry_has(entry, "OUTCOME", "worker-died") &&
               entry_has(entry, "HTTP_STATUS", "503") && entry_has(entry, "RESPONSE_BYTES", "0"));
        message = text_of(entry, "MESSAGE");
        assert(strncmp(message, "GET /a?b HTTP/1.1 503 0B ", 25) == 0);
        assert(strstr(message, "us 192.0.2.1 (worker died)"));
        scene_end(scene);
}

static void test_answered_request_has_the_status_that_its_client_saw(void)
{
        struct scene *scene = scene_new();
        struct flight *flight = fly(scene, "one", "/", FLIGHT_RUNNING);
        const struct entry *entry;

        flight_answer(flight, 201, 99);
        entry = access_of(scene, flight);
        assert(entry_has(entry, "OUTCOME", "worker-died") &&
               entry_has(entry, "HTTP_STATUS", "201") && entry_has(entry, "RESPONSE_BYTES", "99"));
        scene_end(scene);
}

static void test_request_that_was_cut_ended_by_the_shutdown(void)
{
        struct scene *scene = scene_new();
        const struct entry *entry;

        scene->death.cut = true;
        entry = access_of(scene, fly(scene, "one", "/", FLIGHT_RUNNING));
        assert(entry_has(entry, "OUTCOME", "shutdown") && entry_has(entry, "HTTP_STATUS", "503"));
        assert(strstr(text_of(entry, "MESSAGE"), "(worker stopped)"));
        scene_end(scene);
}

static void test_request_of_which_little_is_known_is_told_as_far_as_it_is(void)
{
        struct scene *scene = scene_new();
        struct flight *flight = flight_begin(&scene->flights, "", "", NULL, 0, UINT64_MAX);
        const struct entry *entry = access_of(scene, flight);

        assert(lacks(entry, "HTTP_METHOD") && lacks(entry, "APP") && lacks(entry, "REMOTE_ADDR") &&
               lacks(entry, "REQUEST_ID"));
        assert(entry_has(entry, "DURATION_USEC", "0"));
        assert(entry_has(entry, "MESSAGE", "- - - 503 0B 0us - (worker died)"));
        scene_end(scene);
}

static void test_target_of_which_only_the_beginning_was_kept_says_so(void)
{
        struct scene *scene = scene_new();
        char target[FLIGHT_TARGET_MAX + 1], want[FLIGHT_TARGET_MAX + 32];
        struct flight *flight;
        const char *message;

        memset(target, 'x', FLIGHT_TARGET_MAX);
        target[FLIGHT_TARGET_MAX] = '\0';
        (void)snprintf(want, sizeof(want), "GET %.*s... HTTP/1.1 ", FLIGHT_TARGET_MAX - 1, target);
        flight = fly(scene, "cut", target, FLIGHT_RUNNING);
        message = text_of(access_of(scene, flight), "MESSAGE");
        assert(strncmp(message, want, strlen(want)) == 0);

        target[FLIGHT_TARGET_MAX - 1] = '\0';
        (void)snprintf(want, sizeof(want), "GET %s HTTP/1.1 ", target);
        flight = fly(scene, "whole", target, FLIGHT_RUNNING);
        message = text_of(access_of(scene, flight), "MESSAGE");
        assert(strncmp(message, want, strlen(want)) == 0);
        scene_end(scene);
}

int main(void)
{
        test_causes_are_told_apart();
        test_each_way_to_end_is_told_apart();
        test_core_is_named_when_one_was_dumped();
        test_worker_that_was_discarded_ended_well_however_it_ended();
        test_signal_of_an_unknown_death_is_what_its_handler_noted();
        test_of_a_master_only_its_death_is_told();
        test_request_of_the_thread_that_was_hit_is_the_culprit();
        test_request_that_is_done_is_not_the_culprit();
        test_hit_beside_the_applications_has_no_culprit();
        test_request_that_is_alone_is_the_culprit();
        test_request_that_is_alone_in_the_application_is_the_culprit();
        test_one_of_two_that_run_is_not_the_culprit();
        test_each_request_in_flight_is_listed();
        test_without_requests_there_is_no_list();
        test_of_many_requests_some_are_listed_and_all_are_counted();
        test_list_of_the_longest_requests_is_whole();
        test_target_that_is_too_long_for_the_list_is_marked();
        test_what_a_client_wrote_stays_on_its_line();
        test_stack_is_told_without_its_last_newlines();
        test_record_of_a_scribbled_box_is_sound();
        test_request_without_an_answer_died_with_its_worker();
        test_answered_request_has_the_status_that_its_client_saw();
        test_request_that_was_cut_ended_by_the_shutdown();
        test_request_of_which_little_is_known_is_told_as_far_as_it_is();
        test_target_of_which_only_the_beginning_was_kept_says_so();
        return 0;
}
