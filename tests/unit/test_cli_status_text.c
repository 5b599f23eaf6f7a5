/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table for people, and that no client can write outside of its place in it. */
#include "cli/status_text.h"

#include "test_cli_status.h"

static void check(const struct looks *looks, const char *want)
{
        char *text = looks_written(looks, status_text);

        if (strcmp(text, want) != 0)
                (void)fprintf(stderr, "%s", text);
        assert(strcmp(text, want) == 0);
        free(text);
}

static void check_has(const struct looks *looks, const char *want)
{
        char *text = looks_written(looks, status_text);

        if (!strstr(text, want))
                (void)fprintf(stderr, "%s", text);
        assert(strstr(text, want));
        free(text);
}

static void test_summary_table_and_requests(void)
{
        struct looks looks;

        looks_init(&looks);
        looks_add(&looks, "/slow?a=b", 2100 * USEC_PER_MSEC);
        atomic_store(&looks_add(&looks, "/x", 812)->status, 200);
        check(&looks,
              "1 worker (1 busy), 234 req/s, p99 6 us, backlog 3, log ok; 2 in flight\n"
              "master 41, 99.9s old; generation 3, 1 restart\n"
              " NO     PID GEN STATE       AGE  RE  CONN BUSY WAIT  REQ/S   P50    P99  LOG LOST\n"
              "  1      42   3 ready     95.0s   2    12    2    4    234   6us    6us  25%    0\n"
              "           2.1s  running GET /slow?a=b from 192.0.2.1 0123456789abcdef\n"
              "          812us  running 200 GET /x from 192.0.2.1 0123456789abcdef\n");
}

static void test_losses_black_boxes_and_what_was_left_out_are_told(void)
{
        struct looks looks;

        looks_init(&looks);
        looks.now.log.lost = 5;
        looks.now.master.backlog = UINT64_MAX;
        looks.now.master.n_recoveries = 2;
        check_has(&looks,
                  ", log: 5 lost; 0 in flight\n"
                  "master 41, 99.9s old; generation 3, 1 restart; 2 black boxes wait for the "
                  "journal\n");
        looks.now.master.n_recoveries = 1;
        looks.now.n_unseen = 3;
        check_has(&looks, "; 1 black box waits for the journal\n3 more than can be looked at");
}

static void test_template_process_has_a_line(void)
{
        struct looks looks;

        looks_init(&looks);
        looks.now.templates[0] = (struct window_message){.pid = 43,
                                                         .generation = 3,
                                                         .state = WORKER_READY,
                                                         .started_usec = NOW - 2 * USEC_PER_SEC};
        looks.now.n_templates = 1;
        check_has(&looks, "1 restart\ntemplate 43, 2.0s old; generation 3, ready\n NO ");
}

static void test_of_many_requests_the_oldest_are_listed(void)
{
        struct looks looks;

        looks_init(&looks);
        for (uint64_t i = 0; i < 12; i++)
                (void)looks_add(&looks, "/", (20 - i) * USEC_PER_SEC);
        check_has(&looks, "\n          11.0s  running GET / from 192.0.2.1 0123456789abcdef\n"
                          "            ...  2 more\n");
}

static void test_bytes_of_clients_cannot_reach_the_terminal(void)
{
        struct looks looks;
        struct flight *flight;

        looks_init(&looks);
        flight = looks_add(&looks, "/\033[2J\n\x7f\xc3\xa4\x9b\\", 0);
        (void)snprintf(flight->method, sizeof(flight->method), "A\tB");
        (void)snprintf(flight->id, sizeof(flight->id), "\r");
        check_has(&looks, " A\\x09B /\\x1b[2J\\x0a\\x7f\\xc3\\xa4\\x9b\\\\ from 192.0.2.1 \\x0d\n");
}

static void test_what_is_not_known_is_a_dash_and_what_is_cut_is_marked(void)
{
        struct looks looks;
        struct flight *flight;

        looks_init(&looks);
        flight = looks_add(&looks, "/long", 0);
        flight->target_size = 9000;
        flight->method[0] = flight->peer[0] = flight->id[0] = '\0';
        atomic_store(&flight->state, FLIGHT_BEGUN);
        check_has(&looks, "            0us  arriving - /long... from - -\n");
}

static void test_durations_are_short(void)
{
        static const struct {
                uint64_t usec;
                const char *text;
        } ages[] = {
                {999, "999us "},
                {1000, "1ms "},
                {999999, "999ms "},
                {USEC_PER_SEC, "1.0s "},
                {59 * USEC_PER_SEC + 990000, "59.9s "},
        };

        for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
                struct looks looks;

                looks_init(&looks);
                (void)looks_add(&looks, "/", ages[i].usec);
                check_has(&looks, ages[i].text);
        }
}

static void test_worker_of_great_age_and_without_a_log(void)
{
        static const struct {
                uint64_t usec;
                const char *text;
        } ages[] = {
                {119 * USEC_PER_SEC, " 119.0s "},
                {120 * USEC_PER_SEC, " 2min "},
                {7199 * USEC_PER_SEC, " 119min "},
                {7200 * USEC_PER_SEC, " 2h "},
                {UINT64_C(86400) * 9 * USEC_PER_SEC, " 9d "},
        };

        for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
                struct looks looks;

                looks_init(&looks);
                looks.now.taken_usec = looks.worker.facts.started_usec + ages[i].usec;
                looks.worker.log = (struct log_counters){0};
                check_has(&looks, ages[i].text);
        }
}

int main(void)
{
        test_template_process_has_a_line();
        test_summary_table_and_requests();
        test_losses_black_boxes_and_what_was_left_out_are_told();
        test_of_many_requests_the_oldest_are_listed();
        test_bytes_of_clients_cannot_reach_the_terminal();
        test_what_is_not_known_is_a_dash_and_what_is_cut_is_marked();
        test_durations_are_short();
        test_worker_of_great_age_and_without_a_log();
        return 0;
}
