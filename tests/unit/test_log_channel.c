/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One channel against a journald of the test: what is not known to be read is sent again, and says
 * so. Time goes by without a wait: the channel's own memory of when it did what is set back.
 */
#include "log/channel.h"

#include <stdalign.h>

#include "base/clock.h"
#include "log/log.h"
#include "test_log_journald.h"

#define RING_SIZE ((size_t)4 << 20)

static alignas(16) char data[RING_SIZE];

struct scene {
        struct journald journald;
        struct ring_positions positions;
        _Atomic uint64_t instance;
        struct channel channel;
        struct channel_tally tally;
};

static void scene_begin(struct scene *scene, size_t size)
{
        *scene = (struct scene){0};
        journald_start(&scene->journald);
        journald_restart(&scene->journald);
        ring_init(&scene->channel.ring, &scene->positions, data, size);
        channel_init(&scene->channel, NULL, "", &scene->instance);
}

static void scene_end(struct scene *scene)
{
        journal_close(&scene->channel.journal);
        journald_remove(&scene->journald);
}

static void put_bytes(struct scene *scene, const char *bytes, size_t size, uint64_t written_usec)
{
        char *room = ring_reserve(&scene->channel.ring, size);

        assert(room);
        memcpy(room, bytes, size);
        (void)ring_commit(&scene->channel.ring, size, RECORD_APP, written_usec);
}

static void put(struct scene *scene, unsigned number)
{
        char text[32];
        int size = snprintf(text, sizeof(text), "NUMBER=%u\n", number);

        put_bytes(scene, text, (size_t)size, realtime_usec());
}

static int ship(struct scene *scene)
{
        return channel_ship(&scene->channel, true, &scene->tally);
}

static uint64_t forgotten(const struct scene *scene)
{
        return scene->tally.done[RECORD_APP];
}

/* As if all that is known to be read had been so for long enough. */
static void let_settle(struct scene *scene)
{
        (void)ship(scene);
        scene->channel.safe_usec = 0;
}

static bool says_again(const struct entry *entry)
{
        struct record_field field;

        return entry_find(entry, "REPLAYED", &field) > 0;
}

/* The next entry is this one. */
static void expect(struct scene *scene, unsigned number, bool again)
{
        struct entry entry;

        assert(journald_receive(&scene->journald, &entry, MSG_DONTWAIT));
        assert(entry_number(&entry, "NUMBER") == number);
        assert(says_again(&entry) == again && (!again || entry_has(&entry, "REPLAYED", "1")));
        entry_free(&entry);
}

static void expect_nothing(struct scene *scene)
{
        struct entry entry;

        assert(!journald_receive(&scene->journald, &entry, MSG_DONTWAIT));
}

/* -- what was read is forgotten, and nothing else -- */

static void test_what_is_unread_is_kept_and_what_is_read_goes(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 5; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        for (int i = 0; i < 3; i++)
                assert(ship(&scene) == 0 && forgotten(&scene) == 0);
        for (unsigned i = 0; i < 5; i++)
                expect(&scene, i, false);
        assert(ship(&scene) == 0 && forgotten(&scene) == 4); /* the newest one not yet */
        expect_nothing(&scene);                              /* reads the question, too */
        let_settle(&scene);
        assert(ship(&scene) == 0 && forgotten(&scene) == 5);
        assert(ring_used(&scene.channel.ring) == 0);
        assert(channel_wake_usec(&scene.channel) == USEC_NEVER);
        scene_end(&scene);
}

/* Without more to send it has not even a connection. */
static void test_what_a_dead_process_knew_to_be_read_is_forgotten_by_its_heir(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 3; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        for (unsigned i = 0; i < 3; i++)
                expect(&scene, i, false);
        assert(ship(&scene) == 0 && ring_unread(&scene.channel.ring) == 0);

        journal_close(&scene.channel.journal);
        channel_init(&scene.channel, NULL, "", &scene.instance);
        scene.channel.safe = scene.channel.last_look = 0;
        assert(ring_adopt(&scene.channel.ring) == 0 && ring_unforgotten(&scene.channel.ring) > 0);
        for (int i = 0; i < 2; i++) {
                assert(channel_ship(&scene.channel, false, &scene.tally) == 0);
                scene.channel.safe_usec = scene.channel.last_look = 0;
        }
        assert(forgotten(&scene) == 3);
        expect_nothing(&scene);
        scene_end(&scene);
}

static void test_the_owner_is_told_when_to_look_again(void)
{
        struct scene scene;
        uint64_t now = now_usec();

        scene_begin(&scene, LOG_BUFFER_MIN);
        assert(channel_wake_usec(&scene.channel) == USEC_NEVER);
        put(&scene, 0);
        assert(channel_wake_usec(&scene.channel) <= now_usec() + USEC_PER_SEC);
        assert(ship(&scene) == 0);
        assert(channel_wake_usec(&scene.channel) <= now_usec() + USEC_PER_SEC);
        expect(&scene, 0, false);
        assert(ship(&scene) == 0);
        assert(channel_wake_usec(&scene.channel) >= now + USEC_PER_SEC);
        assert(channel_wake_usec(&scene.channel) <= now_usec() + USEC_PER_SEC);
        scene_end(&scene);
}

/* Each question about the queue is a datagram in it. A place that becomes free is for the next
 * record. */
static void test_questions_do_not_fill_the_queue_of_a_reader_that_is_stuck_or_slow(void)
{
        struct scene scene;
        unsigned got = 0;

        scene_begin(&scene, RING_SIZE);
        for (unsigned i = 0; i < 2000; i++)
                put(&scene, i);
        (void)ship(&scene);
        while (ring_waiting(&scene.channel.ring) && got < 500) {
                for (int i = 0; i < 20; i++)
                        (void)ship(&scene);
                expect(&scene, got++, false);
        }
        scene_end(&scene);
}

static void test_large_records_that_are_unread_are_kept(void)
{
        enum { LARGE = 500000, N = 5 };
        static char large[LARGE];
        struct scene scene;

        scene_begin(&scene, RING_SIZE);
        memset(large, 'x', LARGE);
        memcpy(large, "VALUE=", 6);
        large[LARGE - 1] = '\n';
        put(&scene, 0);
        assert(ship(&scene) == 0);
        assert(setsockopt(scene.channel.journal.fd, SOL_SOCKET, SO_SNDBUF, &(int){100000},
                          sizeof(int)) == 0); /* so that they go as files */
        for (int i = 0; i < N; i++)
                put_bytes(&scene, large, LARGE, realtime_usec());
        assert(ship(&scene) == 0 && ship(&scene) == 0);
        assert(forgotten(&scene) == 0);
        scene_end(&scene);
}

/* -- what may be lost is sent again -- */

/* As by systemctl stop and start of systemd-journald.socket. */
static void test_what_was_unread_when_the_socket_was_closed_is_sent_to_the_new_one(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 5; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        expect(&scene, 0, false);
        expect(&scene, 1, false);
        journald_stop(&scene.journald);
        put(&scene, 5);
        assert(ship(&scene) == -EAGAIN && forgotten(&scene) == 0);
        journald_listen(&scene.journald);
        scene.channel.journal.retry_after = 0;
        assert(ship(&scene) == 0);
        for (unsigned i = 0; i < 5; i++)
                expect(&scene, i, true);
        expect(&scene, 5, false);
        expect_nothing(&scene);
        let_settle(&scene);
        assert(ship(&scene) == 0 && forgotten(&scene) == 6);
        scene_end(&scene);
}

/* The same, but nothing is to be sent that would find out. */
static void test_an_idle_channel_finds_out_that_the_socket_was_closed(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        put(&scene, 0);
        put(&scene, 1);
        assert(ship(&scene) == 0);
        journald_stop(&scene.journald);
        journald_listen(&scene.journald);
        let_settle(&scene);
        assert(ship(&scene) == -EAGAIN && forgotten(&scene) == 0);
        assert(channel_wake_usec(&scene.channel) <= now_usec() + USEC_PER_SEC);
        scene.channel.journal.retry_after = 0;
        assert(ship(&scene) == 0);
        expect(&scene, 0, true);
        expect(&scene, 1, true);
        scene_end(&scene);
}

/* systemd empties a socket that it is about to close: it was read, and nobody wrote it down. */
static void test_what_was_read_just_before_the_socket_was_closed_is_sent_again(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 3; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        for (unsigned i = 0; i < 3; i++)
                expect(&scene, i, false);
        scene.channel.last_look = 0;
        assert(channel_ship(&scene.channel, false, &scene.tally) == 0);
        assert(ring_unread(&scene.channel.ring) == 0 && forgotten(&scene) == 0);
        journald_stop(&scene.journald);
        put(&scene, 3);
        assert(ship(&scene) == -EAGAIN);
        journald_listen(&scene.journald);
        scene.channel.journal.retry_after = 0;
        assert(ship(&scene) == 0);
        for (unsigned i = 0; i < 3; i++)
                expect(&scene, i, true);
        expect(&scene, 3, false);
        scene_end(&scene);
}

static void test_what_was_known_to_be_read_is_not_sent_again(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 3; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        for (unsigned i = 0; i < 3; i++)
                expect(&scene, i, false);
        assert(ship(&scene) == 0 && forgotten(&scene) == 2);
        journald_stop(&scene.journald);
        put(&scene, 3);
        assert(ship(&scene) == -EAGAIN);
        journald_listen(&scene.journald);
        scene.channel.journal.retry_after = 0;
        assert(ship(&scene) == 0);
        expect(&scene, 2, true); /* was read, but perhaps not written down */
        expect(&scene, 3, false);
        scene_end(&scene);
}

static void test_after_a_restart_of_journald_what_it_may_not_have_written_is_sent_again(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        for (unsigned i = 0; i < 3; i++)
                put(&scene, i);
        assert(ship(&scene) == 0);
        expect(&scene, 0, false); /* read, and then killed */
        journald_restart(&scene.journald);
        assert(ship(&scene) == 0);
        expect(&scene, 1, false); /* were in the queue, which systemd holds */
        expect(&scene, 2, false);
        for (unsigned i = 0; i < 3; i++)
                expect(&scene, i, true);
        expect_nothing(&scene);
        let_settle(&scene);
        assert(ship(&scene) == 0 && forgotten(&scene) == 3);
        scene_end(&scene);
}

static void test_a_restart_after_everything_was_settled_repeats_nothing(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        put(&scene, 0);
        assert(ship(&scene) == 0);
        expect(&scene, 0, false);
        let_settle(&scene);
        assert(ship(&scene) == 0 && forgotten(&scene) == 1);
        journald_restart(&scene.journald);
        put(&scene, 1);
        assert(ship(&scene) == 0);
        expect(&scene, 1, false);
        expect_nothing(&scene);
        scene_end(&scene);
}

static void test_settling_waits_for_the_reader(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        assert(channel_settle(&scene.channel, 0));
        put(&scene, 0);
        assert(!channel_settle(&scene.channel, 0)); /* not sent at all */
        assert(ship(&scene) == 0);
        assert(!channel_settle(&scene.channel, 2 * USEC_PER_MSEC));
        expect(&scene, 0, false);
        assert(channel_settle(&scene.channel, 60 * USEC_PER_SEC));
        assert(ring_unread(&scene.channel.ring) == 0);
        scene_end(&scene);
}

static void test_settling_is_no_proof_when_the_socket_was_closed(void)
{
        struct scene scene;

        scene_begin(&scene, LOG_BUFFER_MIN);
        put(&scene, 0);
        assert(ship(&scene) == 0);
        journald_stop(&scene.journald);
        assert(!channel_settle(&scene.channel, 60 * USEC_PER_SEC));
        assert(forgotten(&scene) == 0);
        journald_listen(&scene.journald);
        scene_end(&scene);
}

/* -- when it was -- */

static void test_a_late_record_says_when_it_was_written_and_one_on_time_does_not(void)
{
        const uint64_t second = USEC_PER_SEC, now = realtime_usec();
        struct record_field field;
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, LOG_BUFFER_MIN);
        put_bytes(&scene, "A=1\n", 4, 1000000000 * second + 42); /* 2001-09-09 */
        put_bytes(&scene, "A=2\n", 4, now);
        put_bytes(&scene, "A=3\n", 4, now + 3600 * second); /* the clock was set back */
        put_bytes(&scene, "A=4\n", 4, UINT64_MAX);          /* scribbled over */
        put_bytes(&scene, "A=5\n", 4, 0);
        assert(ship(&scene) == 0);
        assert(journald_receive(&scene.journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "A", "1"));
        assert(entry_has(&entry, "SYSLOG_TIMESTAMP", "2001-09-09T01:46:40.000042Z"));
        entry_free(&entry);
        for (int i = 0; i < 3; i++) {
                assert(journald_receive(&scene.journald, &entry, MSG_DONTWAIT));
                assert(entry_find(&entry, "SYSLOG_TIMESTAMP", &field) == 0);
                entry_free(&entry);
        }
        assert(journald_receive(&scene.journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "A", "5"));
        assert(entry_has(&entry, "SYSLOG_TIMESTAMP", "1970-01-01T00:00:00.000000Z"));
        entry_free(&entry);
        scene_end(&scene);
}

static void test_a_late_record_that_is_sent_again_says_both(void)
{
        struct scene scene;
        struct entry entry;

        scene_begin(&scene, LOG_BUFFER_MIN);
        put_bytes(&scene, "A=1\n", 4, 1000000000 * USEC_PER_SEC);
        assert(ship(&scene) == 0);
        ring_resend(&scene.channel.ring);
        assert(ship(&scene) == 0);
        assert(journald_receive(&scene.journald, &entry, MSG_DONTWAIT));
        assert(!says_again(&entry));
        entry_free(&entry);
        assert(journald_receive(&scene.journald, &entry, MSG_DONTWAIT));
        assert(says_again(&entry));
        assert(entry_has(&entry, "SYSLOG_TIMESTAMP", "2001-09-09T01:46:40.000000Z"));
        entry_free(&entry);
        scene_end(&scene);
}

/* -- two channels -- */

struct pair {
        struct journald main, access;
        struct log *log;
};

static void pair_begin(struct pair *pair)
{
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL,
                .console = STDERR_FILENO,
                .level = 6,
                .buffer_size = 2 * LOG_BUFFER_MIN,
                .access_namespace = "requests",
        };

        journald_start(&pair->main);
        journald_start_namespace(&pair->access, &pair->main, "requests");
        assert(log_open(&pair->log, &options) == 0);
}

static void pair_end(struct pair *pair)
{
        log_abandon(pair->log);
        journald_stop(&pair->access);
        journald_remove(&pair->main);
}

static int commit(struct pair *pair, enum record_kind kind, uint64_t number)
{
        struct record record;

        record_init(&record, kind, 6);
        record_number(&record, "NUMBER", number);
        return log_commit(pair->log, &record);
}

static void expect_at(struct journald *journald, uint64_t number)
{
        struct entry entry;

        assert(journald_receive(journald, &entry, MSG_DONTWAIT));
        assert(entry_number(&entry, "NUMBER") == number);
        entry_free(&entry);
}

static bool silent(struct journald *journald)
{
        struct entry entry;

        return !journald_receive(journald, &entry, MSG_DONTWAIT);
}

static void test_access_records_go_to_their_namespace_and_others_do_not(void)
{
        struct pair pair;

        pair_begin(&pair);
        assert(commit(&pair, RECORD_EVENT, 1) == 0 && commit(&pair, RECORD_ACCESS, 2) == 0);
        assert(commit(&pair, RECORD_APP, 3) == 0 && commit(&pair, RECORD_ACCESS, 4) == 0);
        assert(commit(&pair, RECORD_OUTPUT, 5) == 0 && log_ship(pair.log) == 0);
        expect_at(&pair.main, 1);
        expect_at(&pair.main, 3);
        expect_at(&pair.main, 5);
        expect_at(&pair.access, 2);
        expect_at(&pair.access, 4);
        assert(silent(&pair.main) && silent(&pair.access));
        assert(log_close(pair.log, 60 * USEC_PER_SEC, true));
        pair.log = NULL;
        pair_end(&pair);
}

static void test_a_stuck_namespace_delays_no_event(void)
{
        struct pair pair;
        struct entry entry;
        uint64_t taken = 0;

        pair_begin(&pair);
        while (commit(&pair, RECORD_ACCESS, taken) == 0)
                taken++;
        assert(log_ship(pair.log) == -EAGAIN && log_ship(pair.log) == -EAGAIN);
        assert(journald_receive(&pair.main, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "EVENT", "log-lost") && entry_has(&entry, "LOST_ACCESS", "1"));
        entry_free(&entry);
        for (uint64_t i = 0; i < 20; i++) {
                assert(commit(&pair, RECORD_EVENT, i) == 0);
                assert(log_ship(pair.log) == -EAGAIN); /* of the access records */
                expect_at(&pair.main, i);
        }
        expect_at(&pair.access, 0);
        pair_end(&pair);
}

static void test_a_namespace_that_does_not_exist_delays_no_event(void)
{
        struct pair pair;

        pair_begin(&pair);
        journald_stop(&pair.access);
        assert(commit(&pair, RECORD_ACCESS, 1) == 0 && commit(&pair, RECORD_EVENT, 2) == 0);
        assert(log_ship(pair.log) == -EAGAIN);
        expect_at(&pair.main, 2);
        journald_listen(&pair.access);
        pair_end(&pair);
}

static void test_a_name_that_is_too_long_is_refused(void)
{
        char name[JOURNAL_NAMESPACE_MAX + 2] = "";
        struct log_options options = {.buffer_size = LOG_BUFFER_MIN, .access_namespace = name};
        struct log *log = NULL;

        memset(name, 'x', JOURNAL_NAMESPACE_MAX + 1);
        assert(log_open(&log, &options) == -EINVAL && !log);
        name[JOURNAL_NAMESPACE_MAX] = '\0';
        assert(log_open(&log, &options) == 0);
        log_abandon(log);
}

int main(void)
{
        test_what_is_unread_is_kept_and_what_is_read_goes();
        test_what_a_dead_process_knew_to_be_read_is_forgotten_by_its_heir();
        test_the_owner_is_told_when_to_look_again();
        test_questions_do_not_fill_the_queue_of_a_reader_that_is_stuck_or_slow();
        test_large_records_that_are_unread_are_kept();
        test_what_was_unread_when_the_socket_was_closed_is_sent_to_the_new_one();
        test_an_idle_channel_finds_out_that_the_socket_was_closed();
        test_what_was_read_just_before_the_socket_was_closed_is_sent_again();
        test_what_was_known_to_be_read_is_not_sent_again();
        test_after_a_restart_of_journald_what_it_may_not_have_written_is_sent_again();
        test_a_restart_after_everything_was_settled_repeats_nothing();
        test_settling_waits_for_the_reader();
        test_settling_is_no_proof_when_the_socket_was_closed();
        test_a_late_record_says_when_it_was_written_and_one_on_time_does_not();
        test_a_late_record_that_is_sent_again_says_both();
        test_access_records_go_to_their_namespace_and_others_do_not();
        test_a_stuck_namespace_delays_no_event();
        test_a_namespace_that_does_not_exist_delays_no_event();
        test_a_name_that_is_too_long_is_refused();
        return 0;
}
