/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The account's counters and the event that tells of losses. */
#include "log/account.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "log/events.h"

/* More than any process can lose. */
#define COUNT_MAX (UINT64_C(1) << 48)

uint64_t account_read(const _Atomic uint64_t *counter)
{
        return atomic_load_explicit(counter, memory_order_acquire);
}

static void write_counter(_Atomic uint64_t *counter, uint64_t value)
{
        atomic_store_explicit(counter, value, memory_order_release);
}

/* One writer at a time, so no locked addition. */
void account_add(_Atomic uint64_t *counter, uint64_t n)
{
        write_counter(counter, account_read(counter) + n);
}

void account_lose(struct account *account, enum record_kind kind, uint64_t n)
{
        uint64_t now;

        if (n == 0)
                return;
        now = realtime_usec();
        if (account_read(&account->since_usec) == 0)
                write_counter(&account->since_usec, now);
        write_counter(&account->until_usec, now);
        account_add(&account->lost[kind], n);
}

/* What a crashed process left may count backwards. */
static uint64_t above(uint64_t all, uint64_t part)
{
        return all > part ? all - part : 0;
}

bool account_untold(const struct account *account, struct loss *ret)
{
        *ret = (struct loss){
                .since_usec = account_read(&account->since_usec),
                .until_usec = account_read(&account->until_usec),
        };
        for (size_t i = 0; i < RECORD_KINDS; i++) {
                ret->by_kind[i] =
                        above(account_read(&account->lost[i]), account_read(&account->told[i]));
                ret->total += ret->by_kind[i];
        }
        return ret->total > 0;
}

void account_tell(struct account *account, const struct loss *loss, uint64_t end)
{
        for (size_t i = 0; i < RECORD_KINDS; i++)
                write_counter(&account->telling[i],
                              account_read(&account->told[i]) + loss->by_kind[i]);
        write_counter(&account->telling_end, end);
}

void account_told(struct account *account)
{
        for (size_t i = 0; i < RECORD_KINDS; i++)
                write_counter(&account->told[i], account_read(&account->telling[i]));
        write_counter(&account->telling_end, 0);
        write_counter(&account->since_usec, 0);
}

int account_adopt(struct account *account, bool told)
{
        int r = 0;

        for (size_t i = 0; i < RECORD_KINDS; i++) {
                uint64_t lost = account_read(&account->lost[i]);

                if (lost <= COUNT_MAX && account_read(&account->told[i]) <= lost &&
                    account_read(&account->telling[i]) <= lost)
                        continue;
                write_counter(&account->lost[i], 0);
                write_counter(&account->told[i], 0);
                write_counter(&account->telling[i], 0);
                r = -EBADMSG;
        }
        /* The ring will grow beyond the end of an event that is not in it. */
        if (told)
                account_told(account);
        else
                write_counter(&account->telling_end, 0);
        return r;
}

void loss_record(struct record *record, const struct loss *loss,
                 const struct record_subject *subject)
{
        static const char *const names[RECORD_KINDS] = {
                [RECORD_EVENT] = "LOST_EVENT",
                [RECORD_ACCESS] = "LOST_ACCESS",
                [RECORD_APP] = "LOST_APP",
                [RECORD_OUTPUT] = "LOST_OUTPUT",
        };
        uint64_t now = realtime_usec();
        /* What a crashed process left, or a clock that was set back. */
        uint64_t until = loss->until_usec > 0 && loss->until_usec < now ? loss->until_usec : now;
        uint64_t since =
                loss->since_usec > 0 && loss->since_usec < until ? loss->since_usec : until;

        record_event(record, EVENT_LOG_LOST, subject);
        for (size_t i = 0; i < RECORD_KINDS; i++)
                record_number(record, names[i], loss->by_kind[i]);
        record_number(record, "LOST", loss->total);
        record_number(record, "LOST_SINCE_USEC", since);
        record_number(record, "LOST_UNTIL_USEC", until);
        record_format(record, "MESSAGE",
                      "%" PRIu64 " records were lost within %" PRIu64
                      " ms: the log did not take them",
                      loss->total, (until - since) / USEC_PER_MSEC);
}

uint64_t account_lost(const struct account *account)
{
        uint64_t total = 0;

        for (size_t i = 0; i < RECORD_KINDS; i++)
                total += account_read(&account->lost[i]);
        return total;
}
