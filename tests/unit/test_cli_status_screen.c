/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A screen of a terminal: what fits, in which order and colour, and that nothing else reaches it.
 */
#include "cli/status_screen.h"

#include "test_cli_status.h"

static char *screen_of(const struct looks *looks, unsigned rows, unsigned columns, bool colours,
                       bool first)
{
        const struct screen screen = {.rows = rows, .columns = columns, .colours = colours};
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);

        assert(stream);
        status_screen(stream, &screen, first, &looks->before, &looks->now);
        assert(fclose(stream) == 0);
        return text;
}

static void check(const struct looks *looks, unsigned rows, unsigned columns, const char *want)
{
        char *text = screen_of(looks, rows, columns, false, true);

        if (strcmp(text, want) != 0)
                (void)fprintf(stderr, "%s", text);
        assert(strcmp(text, want) == 0);
        free(text);
}

static void test_what_fits_is_shown_and_the_last_row_stays_free(void)
{
        struct looks looks;

        looks_init(&looks);
        (void)looks_add(&looks, "/old", 2 * USEC_PER_SEC);
        (void)looks_add(&looks, "/new", 1000);
        check(&looks, 6, 30,
              "\033[H\033[2J1 worker (1 busy), 234 req/s, \033[K\n"
              "master 41, 99.9s old; generati\033[K\n"
              " NO     PID GEN STATE       AG\033[K\n"
              "  1      42   3 ready     95.0\033[K\n"
              "  1           2.0s  running GE\033[K\n"
              "\033[J");
        check(&looks, 1, 30, "\033[H\033[2J\033[J");
        check(&looks, 2, 1, "\033[H\033[2J1\033[K\n\033[J");
}

static void test_requests_of_all_workers_are_in_the_order_of_their_age(void)
{
        struct seen_worker workers[2];
        struct looks looks;
        char *text, *second;

        looks_init(&looks);
        (void)looks_add(&looks, "/second", 2 * USEC_PER_SEC);
        (void)looks_add(&looks, "/first", 3 * USEC_PER_SEC);
        workers[0] = workers[1] = looks.worker;
        workers[0].n_flights = workers[1].n_flights = 1;
        workers[1].flights++;
        workers[1].facts.worker_id = 7;
        looks.now.workers = workers;
        looks.now.n_workers = 2;
        text = screen_of(&looks, 24, 80, false, false);
        second = strstr(text, "\n  7           3.0s  running GET /first");
        assert(second && strstr(second, "\n  1           2.0s  running GET /second"));
        free(text);
}

static const char *line_of(const char *text, const char *part)
{
        const char *at = strstr(text, part);

        assert(at);
        while (at > text && at[-1] != '\n')
                at--;
        return at;
}

static void test_colours_tell_the_states_apart(void)
{
        static const struct {
                enum worker_state state;
                uint32_t queued;
                const char *colour;
        } states[] = {
                {WORKER_READY, 0, "\033[32m"},    {WORKER_READY, 1, "\033[33m"},
                {WORKER_STARTING, 0, "\033[33m"}, {WORKER_ABORTED, 0, "\033[31m"},
                {WORKER_DRAINING, 0, "\033[2m"},
        };

        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
                struct looks looks;
                const char *line;
                char *text;

                looks_init(&looks);
                looks.worker.facts.state = states[i].state;
                looks.worker.queued = states[i].queued;
                text = screen_of(&looks, 24, 80, true, false);
                line = line_of(text, worker_state_name(states[i].state));
                assert(strncmp(line, states[i].colour, strlen(states[i].colour)) == 0);
                assert(strncmp(line_of(text, "GEN STATE"), "\033[7m", 4) == 0);
                free(text);
        }
}

static void test_bytes_of_clients_cannot_reach_the_terminal(void)
{
        struct looks looks;
        char *text;

        looks_init(&looks);
        (void)looks_add(&looks, "/\033[2J\n\x9b", 0);
        text = screen_of(&looks, 24, 200, true, false);
        assert(strstr(text, "GET /\\x1b[2J\\x0a\\x9b from") && !strstr(text, "\033[2J"));
        free(text);
}

int main(void)
{
        test_what_fits_is_shown_and_the_last_row_stays_free();
        test_requests_of_all_workers_are_in_the_order_of_their_age();
        test_colours_tell_the_states_apart();
        test_bytes_of_clients_cannot_reach_the_terminal();
        return 0;
}
