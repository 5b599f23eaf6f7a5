/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender against a journald of the test: large records, a full queue, a receiver that goes. */
#include "log/journal.h"

#include "base/clock.h"
#include "test_log_journald.h"

static void send_text(struct journal *journal, const char *text, int wanted)
{
        assert(journal_send(journal, text, strlen(text), "", 0) == wanted);
}

static void expect_text(struct journald *journald, const char *text)
{
        struct entry entry = {0};

        assert(journald_receive(journald, &entry, MSG_DONTWAIT));
        assert(entry.size == strlen(text) && memcmp(entry.bytes, text, entry.size) == 0);
        entry_free(&entry);
}

/* Until the receiver takes no more. Return: how many it took. */
static unsigned fill(struct journal *journal)
{
        unsigned n = 0;
        int r;

        while ((r = journal_send(journal, "A=x\n", 4, "", 0)) == 0)
                n++;
        assert(r == -EAGAIN);
        return n;
}

static void test_a_record_is_one_datagram(void)
{
        struct journald journald;
        struct journal journal;

        journald_start(&journald);
        assert(journal_present());
        journal_init(&journal, "");
        send_text(&journal, "A=1\n", 0);
        send_text(&journal, "A=2\nB=3\n", 0);
        assert(fcntl(journal.fd, F_GETFD) & FD_CLOEXEC);
        expect_text(&journald, "A=1\n");
        expect_text(&journald, "A=2\nB=3\n");
        journal_close(&journal);
        journald_remove(&journald);
        assert(!journal_present());
}

static void test_what_is_too_large_for_a_datagram_goes_by_sealed_file(void)
{
        const int small = 4096;
        const size_t size = 200000;
        char *record = malloc(size);
        struct journald journald;
        struct journal journal;
        struct entry entry;

        assert(record);
        memset(record, 'y', size);
        memcpy(record, "MESSAGE=", 8);
        record[size - 1] = '\n';
        journald_start(&journald);
        journal_init(&journal, "");
        send_text(&journal, "A=1\n", 0);
        assert(setsockopt(journal.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
        assert(journal_send(&journal, record, size, "B=2\n", 4) == 0);
        expect_text(&journald, "A=1\n");
        assert(journald_receive(&journald, &entry, MSG_DONTWAIT));
        assert(entry.by_file && entry.size == size + 4 && memcmp(entry.bytes, record, size) == 0);
        assert(memcmp(entry.bytes + size, "B=2\n", 4) == 0);
        entry_free(&entry);
        journal_close(&journal);
        journald_remove(&journald);
        free(record);
}

static void test_a_full_queue_is_not_waited_for_and_opens_again(void)
{
        struct journald journald;
        struct journal journal;
        unsigned n;

        journald_start(&journald);
        journal_init(&journal, "");
        n = fill(&journal);
        assert(n > 0);
        expect_text(&journald, "A=x\n");
        while (--n > 0)
                expect_text(&journald, "A=x\n");
        send_text(&journal, "A=2\n", 0);
        expect_text(&journald, "A=2\n");
        journal_close(&journal);
        journald_remove(&journald);
}

/* Time goes by without a wait: the sender's own memory of when to try again is set back. */
static void test_a_receiver_that_goes_and_comes_back_is_found_again(void)
{
        struct journald journald;
        struct journal journal;

        journald_start(&journald);
        journal_init(&journal, "");
        send_text(&journal, "A=1\n", 0);
        journald_stop(&journald);
        send_text(&journal, "A=2\n", -ENOTCONN);
        assert(journal.fd == -1 && journal.retry_after > now_usec());
        journald_listen(&journald);
        send_text(&journal, "A=2\n", -ENOTCONN); /* too early */
        journal.retry_after = 0;
        send_text(&journal, "A=2\n", 0);
        expect_text(&journald, "A=2\n");
        journal_close(&journal);
        journald_remove(&journald);
}

static void test_without_a_receiver_it_is_tried_again_at_most_every_100_ms(void)
{
        struct journald journald;
        struct journal journal;
        uint64_t before = now_usec();

        journald_start(&journald);
        journald_stop(&journald);
        journal_init(&journal, "");
        send_text(&journal, "A=1\n", -ENOTCONN);
        assert(journal.retry_after >= before + 100 * USEC_PER_MSEC);
        journald_listen(&journald);
        journal_close(&journal);
        journald_remove(&journald);
}

static void test_wait_read_waits_for_what_is_unread_and_no_longer(void)
{
        struct journald journald;
        struct journal journal;
        uint64_t before;

        journald_start(&journald);
        journal_init(&journal, "");
        before = now_usec();
        assert(!journal_wait_read(&journal, 3600 * USEC_PER_SEC)); /* not connected */
        assert(now_usec() - before < 60 * USEC_PER_SEC);
        send_text(&journal, "A=1\n", 0);
        assert(journal_unread(&journal) >= strlen("A=1\n"));
        before = now_usec();
        assert(!journal_wait_read(&journal, 20 * USEC_PER_MSEC));
        assert(now_usec() - before >= 20 * USEC_PER_MSEC);
        expect_text(&journald, "A=1\n");
        before = now_usec();
        assert(journal_wait_read(&journal, 3600 * USEC_PER_SEC));
        assert(now_usec() - before < 60 * USEC_PER_SEC);
        journal_close(&journal);
        journald_remove(&journald);
}

static void test_a_path_that_no_address_holds_is_no_crash(void)
{
        char path[200];
        struct journal journal;

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert(setenv("APPSRV_JOURNAL_SOCKET", path, 1) == 0);
        journal_init(&journal, "");
        send_text(&journal, "A=1\n", -ENOTCONN);
        journal_close(&journal);
}

int main(void)
{
        test_a_record_is_one_datagram();
        test_what_is_too_large_for_a_datagram_goes_by_sealed_file();
        test_a_full_queue_is_not_waited_for_and_opens_again();
        test_a_receiver_that_goes_and_comes_back_is_found_again();
        test_without_a_receiver_it_is_tried_again_at_most_every_100_ms();
        test_wait_read_waits_for_what_is_unread_and_no_longer();
        test_a_path_that_no_address_holds_is_no_crash();
        return 0;
}
