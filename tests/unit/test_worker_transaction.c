/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transactions without libmicrohttpd: what is refused and how, what of a body is kept, and the one
 * record of each. */
#include "worker/transaction.h"

#include <assert.h>
#include <string.h>

#include "test_log_journald.h"

enum { LIMIT = 1000 };

struct bench {
        struct journald journald;
        struct config *config;
        struct board *board;
        struct service service;
};

static struct bench bench_new(void)
{
        const struct config_source nothing = {0};
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 1 << 20};
        struct problems problems = {0};
        struct bench bench = {0};

        journald_start(&bench.journald);
        assert(config_load(&bench.config, &nothing, &problems) == 0);
        assert(board_new(&bench.board, 1) == 0);
        assert(log_open(&bench.service.log, &options) == 0);
        bench.service.config = bench.config;
        bench.service.slot = board_slot(bench.board, 0);
        bench.service.limits = (struct head_limits){
                .request_line = 8190,
                .request_fields = 100,
                .request_field_size = 8190,
                .request_body = LIMIT,
        };
        return bench;
}

static void bench_end(struct bench *bench)
{
        (void)log_close(bench->service.log, 0, false);
        board_free(bench->board);
        config_free(bench->config);
        journald_remove(&bench->journald);
}

static struct transaction *begin(struct bench *bench, const char *method, const char *target,
                                 struct header *headers, size_t n_headers)
{
        struct transaction *transaction = transaction_new(&bench->service, target, "192.0.2.1");

        assert(transaction);
        transaction->request.method = method;
        transaction->request.version = "HTTP/1.1";
        transaction->request.headers = headers;
        transaction->request.n_headers = n_headers;
        return transaction;
}

static struct header header(const char *name, const char *value)
{
        return (struct header){.name = name,
                               .value = value,
                               .name_size = strlen(name),
                               .value_size = strlen(value)};
}

/* End it, and compare its one record with what is wanted. */
static void check_record(struct bench *bench, struct transaction *transaction, enum outcome outcome,
                         const char *status, const char *want_outcome)
{
        struct entry entry;

        transaction_end(transaction, outcome);
        (void)log_ship(bench->service.log);
        assert(journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "HTTP_STATUS", status));
        assert(entry_has(&entry, "OUTCOME", want_outcome));
        entry_free(&entry);
        assert(!journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
}

static void test_refused_head_is_answered_at_once_and_closes(void)
{
        struct bench bench = bench_new();
        struct transaction *transaction = begin(&bench, "GET", "/", NULL, 0);

        assert(!transaction_head(transaction, (struct verdict){0}));
        assert(transaction->response.status == 400 && transaction->response.close);
        check_record(&bench, transaction, OUTCOME_OK, "400", "rejected");
        bench_end(&bench);
}

static void test_unknown_path_keeps_the_connection_unless_a_body_follows(void)
{
        struct bench bench = bench_new();
        struct header headers[] = {header("Host", "a"), header("Content-Length", "5")};
        struct transaction *transaction = begin(&bench, "GET", "/nowhere", headers, 1);

        assert(transaction_head(transaction, (struct verdict){0}));
        assert(!transaction_complete(transaction));
        assert(transaction->response.status == 404 && !transaction->response.close);
        check_record(&bench, transaction, OUTCOME_OK, "404", "ok");

        transaction = begin(&bench, "POST", "/nowhere", headers, 2);
        assert(!transaction_head(transaction, (struct verdict){0}));
        assert(transaction->response.status == 404 && transaction->response.close);
        check_record(&bench, transaction, OUTCOME_OK, "404", "rejected");
        bench_end(&bench);
}

/* A transaction whose chunked body is expected by an application; the pool is not needed until it
 * is complete. */
static struct transaction *expecting_body(struct bench *bench, struct header *headers)
{
        struct transaction *transaction = begin(bench, "POST", "/", headers, 2);

        transaction->phase = TRANSACTION_BODY;
        transaction->framing = (struct framing){.chunked = true};
        return transaction;
}

static void test_body_is_kept_whole_up_to_the_limit(void)
{
        struct bench bench = bench_new();
        struct header headers[] = {header("Host", "a"), header("Transfer-Encoding", "chunked")};
        struct transaction *transaction = expecting_body(&bench, headers);
        char want[LIMIT];

        for (size_t i = 0; i < LIMIT; i++) {
                want[i] = (char)i;
                assert(transaction_body(transaction, &want[i], 1));
        }
        assert(transaction->request.body_size == LIMIT && transaction->body_dropped == 0);
        assert(memcmp(transaction->body.bytes, want, LIMIT) == 0);
        check_record(&bench, transaction, OUTCOME_CLIENT_ABORT, "499", "client-abort");
        bench_end(&bench);
}

static void test_body_over_the_limit_is_dropped_then_refused(void)
{
        struct bench bench = bench_new();
        struct header headers[] = {header("Host", "a"), header("Transfer-Encoding", "chunked")};
        struct transaction *transaction = expecting_body(&bench, headers);
        static char piece[LIMIT];

        assert(transaction_body(transaction, piece, LIMIT));
        assert(transaction_body(transaction, piece, 1));
        assert(transaction_body(transaction, piece, LIMIT));
        assert(transaction->request.body_size == LIMIT);
        assert(!transaction_complete(transaction));
        assert(transaction->response.status == 413 && transaction->response.close);
        check_record(&bench, transaction, OUTCOME_OK, "413", "rejected");
        bench_end(&bench);
}

static void test_endless_body_is_cut_and_is_a_refusal(void)
{
        struct bench bench = bench_new();
        struct header headers[] = {header("Host", "a"), header("Transfer-Encoding", "chunked")};
        struct transaction *transaction = expecting_body(&bench, headers);
        static char piece[1 << 16];
        unsigned pieces = 0;

        while (transaction_body(transaction, piece, sizeof(piece)))
                assert(++pieces <= 16);
        assert(transaction->body.capacity <= LIMIT * 32);
        check_record(&bench, transaction, OUTCOME_CLIENT_ABORT, "413", "rejected");
        bench_end(&bench);
}

static void test_giving_up_records_and_touches_nothing(void)
{
        struct bench bench = bench_new();
        struct header headers[] = {header("Host", "a")};
        struct transaction *transaction = begin(&bench, "GET", "/", headers, 1);
        struct entry entry;

        transaction->phase = TRANSACTION_RUNNING;
        transaction_give_up(transaction);
        transaction_give_up(NULL);
        (void)log_ship(bench.service.log);
        assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "OUTCOME", "shutdown"));
        entry_free(&entry);
        assert(atomic_load(&bench.service.slot->requests) == 1);
        check_record(&bench, transaction, OUTCOME_SHUTDOWN, "503", "shutdown");
        bench_end(&bench);
}

static void test_request_ids_never_repeat(void)
{
        struct bench bench = bench_new();
        struct transaction *one = begin(&bench, "GET", "/", NULL, 0);
        struct transaction *other = begin(&bench, "GET", "/", NULL, 0);

        assert(strlen(one->request.id) == 32 && strcmp(one->request.id, other->request.id) != 0);
        check_record(&bench, one, OUTCOME_SHUTDOWN, "503", "shutdown");
        check_record(&bench, other, OUTCOME_SHUTDOWN, "503", "shutdown");
        bench_end(&bench);
}

int main(void)
{
        test_refused_head_is_answered_at_once_and_closes();
        test_unknown_path_keeps_the_connection_unless_a_body_follows();
        test_body_is_kept_whole_up_to_the_limit();
        test_body_over_the_limit_is_dropped_then_refused();
        test_endless_body_is_cut_and_is_a_refusal();
        test_giving_up_records_and_touches_nothing();
        test_request_ids_never_repeat();
        return 0;
}
