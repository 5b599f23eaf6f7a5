/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The account of a log: what became of its records, by kind, in memory that outlives the process.
 *
 * What is lost is counted at once and told by a log-lost event, which is a record like any other.
 * `told` follows the event into the ring by the same rule as a ticket, so a kill neither tells a
 * loss twice nor forgets it. All counters only grow. Under the log's mutex, but for reading.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "log/record.h"

#define RECORD_KINDS (RECORD_OUTPUT + 1)

/* All zero: nothing happened yet. */
struct account {
        _Atomic uint64_t committed[RECORD_KINDS]; /* taken into the ring */
        _Atomic uint64_t done[RECORD_KINDS];      /* of these, those that left it */
        _Atomic uint64_t lost[RECORD_KINDS];
        _Atomic uint64_t told[RECORD_KINDS];    /* of these, those that a log-lost event tells of */
        _Atomic uint64_t telling[RECORD_KINDS]; /* what is told when the ring holds telling_end */
        _Atomic uint64_t telling_end;
        _Atomic uint64_t since_usec; /* CLOCK_REALTIME of the first loss that is not told yet */
        _Atomic uint64_t until_usec; /* of the last one */
};

/* What is not told yet. */
struct loss {
        uint64_t by_kind[RECORD_KINDS];
        uint64_t total;
        uint64_t since_usec;
        uint64_t until_usec;
};

uint64_t account_read(const _Atomic uint64_t *counter);
void account_add(_Atomic uint64_t *counter, uint64_t n);

/** account_lose() - @n records of @kind are lost. */
void account_lose(struct account *account, enum record_kind kind, uint64_t n);

/** account_untold() - what is lost and not told yet. Return: whether there is any. */
bool account_untold(const struct account *account, struct loss *ret);

/** account_tell() - a record is about to be committed, ending at @end, that tells of @loss;
 * account_told() - it was. */
void account_tell(struct account *account, const struct loss *loss, uint64_t end);
void account_told(struct account *account);

/** account_adopt() - go on with a dead process's account. @told: whether the ring holds
 * telling_end. Return: 0, or -EBADMSG when counts could not be true; those begin anew. */
int account_adopt(struct account *account, bool told);

/** loss_record() - the event that tells of @loss. */
void loss_record(struct record *record, const struct loss *loss,
                 const struct record_subject *subject);

/** account_lost() - all that is lost. */
uint64_t account_lost(const struct account *account);
