/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Orders out, receipts in. What the template says is checked: it holds code of applications. */
#include "master/preload.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "template/order.h"

/* A worker's first word comes after its receipt, and must be heard after it. */
#define PRIORITY_RECEIPTS (PRIORITY_WORDS - 1)

/* One is to be expected; code of an application that floods the socket must not keep the master
 * from its work. */
#define RECEIPTS_PER_TURN      4
#define RECEIPTS_TURNS         100
#define RECEIPTS_INTERVAL_USEC (100 * USEC_PER_MSEC)

static void deliver(struct preload *preload, int result)
{
        struct child *worker = preload->ordered;

        preload->ordered = NULL;
        if (result < 0)
                child_discard(worker);
        preload->owner->delivered(preload->data, worker, result);
}

/* A pid may be anybody's: it must be a child of ours, and none that we know. */
static bool is_new_child(const struct preload *preload, pid_t pid)
{
        siginfo_t info;

        return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               pid != preload->template.subject.worker_pid &&
               !preload->owner->is_known(preload->data, pid);
}

/* Nobody has ordered it, or waits for it any more. */
static void turn_away(const struct preload *preload, const struct receipt *receipt)
{
        if (receipt->result > 0 && is_new_child(preload, receipt->result))
                (void)kill(receipt->result, SIGKILL);
}

static void take_receipt(struct preload *preload, const struct receipt *receipt)
{
        int r = receipt->result;

        if (!preload->ordered || receipt->serial != preload->serial) {
                turn_away(preload, receipt);
                return;
        }
        if (r > 0 && !is_new_child(preload, r))
                r = -ESRCH;
        if (r <= 0) {
                deliver(preload, r < 0 ? r : -EBADMSG);
                return;
        }
        r = child_adopt(preload->ordered, receipt->result);
        if (r < 0)
                (void)kill(receipt->result, SIGKILL);
        deliver(preload, r);
}

static void take_receipts(struct preload *preload)
{
        struct receipt receipt;

        for (unsigned n = 0; n < RECEIPTS_PER_TURN; n++) {
                int r = receipt_receive(preload->orders, &receipt);

                if (r == 1)
                        take_receipt(preload, &receipt);
                else if (r == -EAGAIN)
                        return;
        }
}

static int on_receipt(sd_event_source *source, int fd, uint32_t events, void *data)
{
        (void)fd;
        take_receipts(data);
        /* It has closed its end: its death is told by the kernel. */
        if (events & (EPOLLHUP | EPOLLERR))
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static void close_orders(struct preload *preload)
{
        preload->receipts = sd_event_source_disable_unref(preload->receipts);
        close_descriptor(&preload->orders);
        preload->orders = -1;
}

/* -- what becomes of the template -- */

static void on_ready(void *data)
{
        struct preload *preload = data;

        preload->owner->template.ready(preload->data);
}

static void on_leaves(void *data)
{
        (void)data;
}

/* What it forked last may be there. */
static void on_ended(void *data, const struct child *child)
{
        struct preload *preload = data;

        take_receipts(preload);
        close_orders(preload);
        if (preload->ordered)
                deliver(preload, -ECANCELED);
        preload->owner->template.ended(preload->data, child);
}

static const struct child_owner template_owner = {
        .ready = on_ready,
        .worn = on_leaves,
        .leaves = on_leaves,
        .ended = on_ended,
};

/* -- beginning and end -- */

int preload_new(struct preload **ret, const struct preload_owner *owner,
                const struct child *template)
{
        struct preload *preload;

        preload = calloc(1, sizeof(*preload));
        if (!preload)
                return -ENOMEM;
        preload->owner = owner;
        preload->data = template->data;
        preload->orders = -1;
        preload->template = *template;
        preload->template.owner = &template_owner;
        preload->template.data = preload;
        *ret = preload;
        return 0;
}

void preload_free(struct preload *preload)
{
        if (!preload)
                return;
        if (preload->ordered)
                child_discard(preload->ordered);
        close_orders(preload);
        child_forget(&preload->template);
        store_leave(&preload->template.stored);
        free(preload);
}

static int watch_receipts(struct preload *preload)
{
        int r = sd_event_add_io(preload->template.host->event, &preload->receipts, preload->orders,
                                EPOLLIN, on_receipt, preload);

        if (r >= 0)
                r = sd_event_source_set_priority(preload->receipts, PRIORITY_RECEIPTS);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(preload->receipts, RECEIPTS_INTERVAL_USEC,
                                                  RECEIPTS_TURNS);
        return r < 0 ? r : 0;
}

int preload_start(struct preload *preload)
{
        _cleanup_close_ int theirs = -1;
        int ends[2];
        int r;

        if (preload->template.state != WORKER_EMPTY)
                return 0;
        r = order_socket(ends);
        if (r < 0)
                return r;
        preload->orders = ends[0];
        theirs = ends[1];
        preload->template.orders = theirs;
        r = watch_receipts(preload);
        if (r == 0)
                r = child_spawn(&preload->template);
        if (r < 0)
                close_orders(preload);
        return r;
}

bool preload_takes_orders(const struct preload *preload)
{
        return preload->template.state == WORKER_READY && !preload->ordered;
}

int preload_order(struct preload *preload, struct child *worker)
{
        int r = child_order(worker, preload->orders, ++preload->serial);

        if (r == 0)
                preload->ordered = worker;
        return r;
}
