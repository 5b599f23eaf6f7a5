/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery: what a dead process left in its black box is brought to the journal.
 *
 * Its log is adopted and finished in its name: the event that tells of its end, one access record
 * for each request that it still had, then all of it is shipped. Every step is settled in the box
 * itself, so a master that is killed meanwhile leaves the rest to the next one, and nothing is told
 * twice. Runs in the master's loop, in turns; a journal that does not read delays it, and nothing
 * else.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "log/log.h"
#include "master/core.h"
#include "master/store.h"

/* How a process ended. */
struct death {
        struct record_subject subject; /* worker_id 0: no worker */
        bool known; /* @how is; a former master's workers ended with it, nobody knows how */
        siginfo_t how;
        bool leaving;   /* it was told to end, or said that it would */
        bool discarded; /* it was killed because it was not needed any more */
        bool cut;       /* it was killed because its requests took too long to finish */
        bool oom;       /* it was killed by the kernel, for want of memory */
        bool hung;      /* it was killed because it was silent for too long */
        uint64_t age_usec;
        char core[CORE_NAME_MAX]; /* where its core lies, found by recover(); "": nobody knows */
};

/** death_of() - whose it was: a master's, a template's (which has a generation), or a worker's. */
enum death_of {
        DEATH_OF_MASTER,
        DEATH_OF_TEMPLATE,
        DEATH_OF_WORKER,
};

static inline enum death_of death_of(const struct death *death)
{
        if (death->subject.worker_id > 0)
                return DEATH_OF_WORKER;
        return death->subject.generation > 0 ? DEATH_OF_TEMPLATE : DEATH_OF_MASTER;
}

struct recovery;

/* All that go on. */
struct recoveries {
        sd_event *event;
        struct log *log; /* the master's own, for what is wrong with a box */
        enum log_target target;
        int console;
        struct recovery *first; /* oldest first */
        unsigned n;
        uint64_t lost; /* records of those that are done with */
};

/** recover() - begin with a box, which is taken over. @printed: read ends of the process's standard
 * output and error, taken over, too; NULL: they are gone. */
void recover(struct recoveries *recoveries, struct stored_box *stored, const int *printed,
             const struct death *death);

/** recover_inherited() - begin with all boxes that a former master left. */
void recover_inherited(struct recoveries *recoveries);

/** recoveries_ship() - go on with all of them; to be called after each turn of the loop. */
void recoveries_ship(struct recoveries *recoveries);

/** recoveries_lost() - records that all the dead have lost so far. */
uint64_t recoveries_lost(const struct recoveries *recoveries);

/** recoveries_close() - the master ends: finish what can be finished within @timeout_usec; the rest
 * is left to the next master, where systemd keeps it, and else counted. */
void recoveries_close(struct recoveries *recoveries, uint64_t timeout_usec);
