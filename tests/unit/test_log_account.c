/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The account: no loss is told twice or not at all, wherever its process was killed. */
#include "log/account.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The ring's end of the event that tells. */
#define END 4096

static uint64_t untold(const struct account *account)
{
        struct loss loss;
        bool any = account_untold(account, &loss);

        assert(any == (loss.total > 0));
        return loss.total;
}

static void test_an_empty_account_has_nothing_to_tell(void)
{
        struct account account = {0};

        assert(untold(&account) == 0 && account_lost(&account) == 0);
        account_lose(&account, RECORD_APP, 0);
        assert(untold(&account) == 0 && account_read(&account.since_usec) == 0);
        assert(account_adopt(&account, false) == 0);
}

static void test_losses_are_counted_by_kind_from_the_first_one_on(void)
{
        struct account account = {0};
        uint64_t before = realtime_usec();
        struct loss loss;

        account_lose(&account, RECORD_ACCESS, 2);
        account_lose(&account, RECORD_OUTPUT, 1);
        account_lose(&account, RECORD_ACCESS, 3);
        assert(account_untold(&account, &loss));
        assert(loss.total == 6 && loss.by_kind[RECORD_ACCESS] == 5);
        assert(loss.by_kind[RECORD_OUTPUT] == 1 && loss.by_kind[RECORD_EVENT] == 0);
        assert(loss.since_usec >= before && loss.since_usec <= realtime_usec());
        assert(account_lost(&account) == 6);
}

static void wait_for_the_clock(uint64_t usec)
{
        while (realtime_usec() <= usec)
                ;
}

static void test_the_span_is_that_of_the_losses_whenever_they_are_told(void)
{
        struct account account = {0};
        uint64_t first, last;
        struct loss loss;

        account_lose(&account, RECORD_ACCESS, 1);
        first = realtime_usec();
        wait_for_the_clock(first);
        last = realtime_usec();
        account_lose(&account, RECORD_APP, 1);
        wait_for_the_clock(realtime_usec());
        account_lose(&account, RECORD_APP, 0); /* is none */
        assert(account_untold(&account, &loss));
        assert(loss.since_usec <= first && loss.until_usec >= last);
        assert(loss.until_usec < realtime_usec());

        account_tell(&account, &loss, END);
        account_told(&account);
        account_lose(&account, RECORD_ACCESS, 1);
        assert(account_untold(&account, &loss));
        assert(loss.since_usec > last && loss.until_usec == loss.since_usec);
}

static void test_what_is_told_is_not_told_again_and_what_follows_is(void)
{
        struct account account = {0};
        struct loss loss;

        account_lose(&account, RECORD_APP, 4);
        assert(account_untold(&account, &loss));
        account_tell(&account, &loss, END);
        assert(untold(&account) == 4); /* not yet */
        account_told(&account);
        assert(untold(&account) == 0 && account_lost(&account) == 4);
        account_lose(&account, RECORD_APP, 1);
        assert(untold(&account) == 1 && account_read(&account.since_usec) > 0);
}

/* What whoever adopts the account does, whose ring has grown to @tail. */
static void adopt(struct account *account, uint64_t tail)
{
        uint64_t end = account_read(&account->telling_end);

        assert(account_adopt(account, end != 0 && end <= tail) == 0);
}

/* Killed on the way: once before the event was in the ring, once behind. */
static void test_a_kill_neither_forgets_nor_repeats(void)
{
        struct account account = {0};
        struct loss loss;

        account_lose(&account, RECORD_APP, 4);
        assert(account_untold(&account, &loss));
        account_tell(&account, &loss, END);
        adopt(&account, END - 1);
        assert(untold(&account) == 4);
        adopt(&account, END); /* the ring has grown by something else */
        assert(untold(&account) == 4);
        assert(account_untold(&account, &loss));
        account_tell(&account, &loss, END);
        adopt(&account, END);
        assert(untold(&account) == 0);
        adopt(&account, END);
        assert(untold(&account) == 0 && account_lost(&account) == 4);
}

static void test_counts_that_cannot_be_true_begin_anew(void)
{
        struct account account = {0};

        account_lose(&account, RECORD_EVENT, 7);
        account_lose(&account, RECORD_APP, 4);
        atomic_store(&account.told[RECORD_APP], 5);
        assert(account_adopt(&account, false) == -EBADMSG);
        assert(untold(&account) == 7 && account_adopt(&account, false) == 0);
        atomic_store(&account.telling[RECORD_EVENT], 8);
        assert(account_adopt(&account, false) == -EBADMSG && untold(&account) == 0);
        atomic_store(&account.lost[RECORD_OUTPUT], UINT64_MAX);
        assert(account_adopt(&account, false) == -EBADMSG && untold(&account) == 0);
}

/* Return: the value's size; the value itself at @ret. */
static size_t find(const char *encoded, size_t size, const char *name, const char **ret)
{
        const char *cursor = encoded;
        struct record_field field;
        size_t name_size;

        while (record_next_field(&cursor, encoded + size, &field, &name_size) == 1)
                if (name_size == strlen(name) && memcmp(field.name, name, name_size) == 0) {
                        *ret = field.value;
                        return field.size;
                }
        return 0;
}

static void expect_field(const char *encoded, size_t size, const char *name, const char *value)
{
        const char *found = NULL;
        size_t found_size = find(encoded, size, name, &found);

        assert(found && found_size == strlen(value) && memcmp(found, value, found_size) == 0);
}

static void test_the_event_says_what_and_when(void)
{
        const struct record_subject subject = {.worker_pid = 77, .worker_id = 1};
        const struct loss loss = {
                .by_kind = {1, 2, 3, 4}, .total = 10, .since_usec = 12345, .until_usec = 9012345};
        struct record record;
        char *encoded;
        size_t size;

        loss_record(&record, &loss, &subject);
        size = record_encoded_size(&record);
        encoded = malloc(size);
        assert(encoded && record.error == 0);
        record_encode(&record, encoded);
        expect_field(encoded, size, "EVENT", "log-lost");
        expect_field(encoded, size, "WORKER_PID", "77");
        expect_field(encoded, size, "LOST", "10");
        expect_field(encoded, size, "LOST_EVENT", "1");
        expect_field(encoded, size, "LOST_ACCESS", "2");
        expect_field(encoded, size, "LOST_APP", "3");
        expect_field(encoded, size, "LOST_OUTPUT", "4");
        expect_field(encoded, size, "LOST_SINCE_USEC", "12345");
        expect_field(encoded, size, "LOST_UNTIL_USEC", "9012345");
        expect_field(encoded, size, "MESSAGE",
                     "10 records were lost within 9000 ms: the log did not take them");
        free(encoded);
}

int main(void)
{
        test_an_empty_account_has_nothing_to_tell();
        test_losses_are_counted_by_kind_from_the_first_one_on();
        test_the_span_is_that_of_the_losses_whenever_they_are_told();
        test_what_is_told_is_not_told_again_and_what_follows_is();
        test_a_kill_neither_forgets_nor_repeats();
        test_counts_that_cannot_be_true_begin_anew();
        test_the_event_says_what_and_when();
        return 0;
}
