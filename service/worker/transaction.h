/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A transaction: one request and its response, from the request line to the access record.
 *
 * Knows nothing of libmicrohttpd: http.c feeds it and sends what comes out. Loop thread, but for
 * the moment in which its job runs on an application thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/app.h"
#include "base/address_set.h"
#include "base/arena.h"
#include "board/board.h"
#include "board/flight.h"
#include "request/access.h"
#include "request/request.h"
#include "request/response.h"
#include "request/validate.h"
#include "worker/body.h"
#include "worker/habit.h"
#include "worker/overdue.h"
#include "worker/pool.h"
#include "worker/presence.h"

/* What all transactions of a worker share. */
struct service {
        const struct config *config;
        struct app **apps;  /* loaded and started, in the order of config->apps */
        struct lane *lanes; /* one an application */
        struct log *log;
        struct board *board;
        struct board_slot *slot; /* its own there */
        struct flights flights;
        struct pool *pool;
        struct habits habits; /* the pool's: of paths */
        struct record_subject subject;
        struct head_limits limits;
        uint64_t id_prefix; /* random, so that REQUEST_IDs of two workers never meet */
        uint64_t id_counter;
        uint64_t went_well; /* requests, for the choice of those that are recorded */
        unsigned n_reading; /* requests whose applications may wait for the rest of their bodies */
        struct overdues overdues; /* that are not told of yet */
        unsigned n_overdue;       /* requests whose threads have not come back */
        bool overdue; /* an application thread may be lost: the worker should be replaced */
        bool hung;    /* the same, and an application hangs as a whole */
};

enum transaction_phase {
        TRANSACTION_HEAD,     /* the request line is there */
        TRANSACTION_BODY,     /* the head was accepted, the body arrives */
        TRANSACTION_RUNNING,  /* waits for an application thread or is on one */
        TRANSACTION_ANSWERED, /* the response is complete */
};

struct transaction {
        struct job job; /* first: the pool gives it back */
        struct service *service;
        struct transaction *next; /* of those that only an application is still busy with */
        void *connection;         /* http.c's */
        const struct address_set *trusted; /* the peer is one of them: he is believed what he says
                                              of his client; else NULL */
        bool admin;                        /* it came to the admin socket */
        struct presence client;            /* whether he is still there */
        bool suspended;                    /* libmicrohttpd lets the connection rest */
        bool running;                      /* with an application thread, or waiting for one */
        bool over;                         /* on the wire: @outcome says how */
        enum outcome outcome;
        _Atomic uint64_t handled_usec; /* when its application began with it; 0: it has not */
        _Atomic uint64_t rests_usec;   /* since when its application is waited for */
        _Atomic uint64_t worked_usec;  /* how long it was before */
        _Atomic uint64_t limit_usec;   /* how long it may be; 0: overdue; USEC_NEVER: no limit */
        _Atomic uint64_t granted_usec; /* until when it has what it asked for; 0: it never did */
        bool overdue;                  /* for too long: goes on without it */
        bool recorded;                 /* its access record is written */
        bool abandoned;                /* the client left before there was anything to send */
        bool probed;             /* he has closed his side, and was asked whether he is there */
        unsigned redirects;      /* targets that its applications have named instead */
        struct response instead; /* what the client gets then */
        struct arena instead_arena;
        _Atomic bool begins; /* its application says that it has a head to send */
        bool reads;          /* counted in service->n_reading */
        bool asks;      /* its application has not asked for the body that the client may send */
        bool gathered;  /* the whole request has arrived */
        bool begun;     /* its application has given the head of a response in pieces */
        bool cut_short; /* and then failed to give the rest */
        bool too_slow;  /* its client was, for that */
        uint64_t sent;  /* bytes of such a response */
        enum transaction_phase phase;
        struct flight *flight; /* its slot in the black box; may be NULL */
        struct arena arena;
        struct request request;
        struct response response; /* its application's */
        struct response *answer;  /* what the client gets */
        struct exchange exchange;
        struct framing framing;
        struct body body;      /* what arrived so far */
        uint64_t body_dropped; /* bytes that arrived beyond the limit */
        int app;               /* index, or negative when there is none */
        bool refused;
        const char *reason; /* static text, why it was refused */
};

/* Some of them. */
struct transactions {
        struct transaction *first; /* linked by next */
        unsigned n;
};

/** transactions_add() - in front; transactions_remove() - one that is there. */
void transactions_add(struct transactions *transactions, struct transaction *transaction);
void transactions_remove(struct transactions *transactions, const struct transaction *transaction);

/**
 * transaction_new() - begin a transaction
 * @target: copied; NULL when the head was refused before it was known
 * @peer:   the client's address as text, copied
 *
 * Return: the transaction, ended with transaction_end(); NULL when there is no memory.
 */
struct transaction *transaction_new(struct service *service, const char *target, const char *peer);

/**
 * transaction_head() - the head is complete: request.method, .version, .headers and .head_size are
 * set
 * @seen: what there is against it that the request does not show; status 0: nothing
 *
 * Return: whether to go on with the body; else the response is complete and the connection ends
 * with it.
 */
bool transaction_head(struct transaction *transaction, struct verdict seen);

/**
 * transaction_body() - a piece of the body
 *
 * Return: false when so much arrived beyond the limit that the connection is to be cut without an
 * answer.
 */
bool transaction_body(struct transaction *transaction, const void *data, size_t size);

/**
 * transaction_take() - a piece of a body that its application reads while it arrives
 *
 * Return: so many bytes were taken; when it is less than @size, the connection has to rest until
 * its application has read some. -EMSGSIZE: as transaction_body() returning false.
 */
ssize_t transaction_take(struct transaction *transaction, const void *data, size_t size);

/** transaction_asks() - whether the client is still to be told nothing: its application has neither
 * asked for the body nor a response. */
bool transaction_asks(struct transaction *transaction);

/** transaction_reads() - whether its application reads the body while it arrives. */
bool transaction_reads(const struct transaction *transaction);

/**
 * transaction_complete() - the request is complete: hand it to its application
 *
 * Return: whether it was handed over and will come back from the pool; else the response is
 * complete.
 */
bool transaction_complete(struct transaction *transaction);

/** transaction_run() - hand it to its application. @request: what that is to answer; @intake: the
 * body that is still to come, or NULL. */
void transaction_run(struct transaction *transaction, struct request *request,
                     struct stream *intake);

/** transaction_rests() - from now on its application is waited for. */
void transaction_rests(struct transaction *transaction);

/** transaction_goes_on() - it need not be waited for any more. */
void transaction_goes_on(struct transaction *transaction);

/** transaction_limit() - how long its application may work on it, from now on. */
void transaction_limit(struct transaction *transaction);

/** transaction_time_left() - how long it may be waited for; USEC_NEVER: as long as it takes. */
uint64_t transaction_time_left(const struct transaction *transaction, uint64_t now);

/** transaction_allowance() - the same as its application sees it: 0 when it is overdue. Any thread.
 */
uint64_t transaction_allowance(const struct transaction *transaction, uint64_t now);

/**
 * transaction_extend() - let its application have @usec from now on at least
 *
 * Application thread. Return: 0; -ERANGE beyond request_timeout_max, -ETIMEDOUT when it is too
 * late.
 */
int transaction_extend(struct transaction *transaction, uint64_t usec);

/**
 * transaction_overdue() - it took too long: tell of it
 *
 * Its application goes on undisturbed. A response that has not begun is replaced by a 504; of
 * others, and of requests that have not arrived whole, the connection is to be cut, when
 * transaction_is_cut(). The loop is told to go on with it, as after news.
 */
void transaction_overdue(struct transaction *transaction);

/** transaction_hung() - the same: its application has hung as a whole for @usec. */
void transaction_hung(struct transaction *transaction, uint64_t usec);

/** transaction_is_handled() - whether its application has begun with it and not come back. */
static inline bool transaction_is_handled(const struct transaction *transaction)
{
        return transaction->running &&
               atomic_load_explicit(&transaction->handled_usec, memory_order_relaxed) > 0;
}

/** transaction_is_cut() - whether nothing can be answered any more. */
bool transaction_is_cut(const struct transaction *transaction);

/** transaction_news() - its application has reported. Return: whether the connection is to go on.
 */
bool transaction_news(struct transaction *transaction);

/**
 * transaction_sends() - whether there is a response whose head can be sent: a whole one, or one
 * that is given piece by piece
 */
bool transaction_sends(const struct transaction *transaction);

/** transaction_answer() - its response is about to be sent: from now on the black box knows what
 * status the client may see. */
void transaction_answer(struct transaction *transaction);

/**
 * transaction_refuse() - answer @status instead of what was to come; static @reason
 * @close: whether the connection ends with it
 */
void transaction_refuse(struct transaction *transaction, int status, const char *reason,
                        bool close);

/** transaction_refused() - the client has been refused already, its application may be busy with it
 * all the same; static @reason */
void transaction_refused(struct transaction *transaction, int status, const char *reason);

/** transaction_refused_unanswered() - the same, and he is told nothing: the connection is cut. */
void transaction_refused_unanswered(struct transaction *transaction, int status,
                                    const char *reason);

/**
 * transaction_late() - it waited too long for an application thread, and was taken back from the
 * pool: the response is complete, and leaves when the whole request has arrived
 */
void transaction_late(struct transaction *transaction);

/**
 * transaction_give_up() - write the access record of a transaction that an application thread may
 * still be working on
 *
 * Its memory is left alone: only _exit() may follow. Accepts NULL.
 */
void transaction_give_up(const struct transaction *transaction);

/**
 * transaction_end() - it is over on the wire: write the access record, count, free. Accepts NULL.
 * @outcome: how it ended on the wire; a refusal stays a refusal however it ended
 *
 * Return: false when its application is still busy with it and its memory; transaction_finish()
 * follows then.
 */
bool transaction_end(struct transaction *transaction, enum outcome outcome);

/** transaction_finish() - the pool has given it back. Return: whether it was over before, and is
 * freed now. */
bool transaction_finish(struct transaction *transaction);
