/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of plain text, cut to the screen, then painted: no line is written twice, so nothing
 * flickers. */
#include "cli/status_screen.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/status_text.h"
#include "master/supervise.h"

#define CLEAR     "\033[H\033[2J"
#define HOME      "\033[H"
#define REST      "\033[J" /* of the screen */
#define LINE_REST "\033[K"
#define PLAIN     "\033[0m"

/* Older ones are what one looks for. */
#define OLD_USEC (1 * USEC_PER_SEC)

static const char bold[] = "\033[1m", reverse[] = "\033[7m", dim[] = "\033[2m";
static const char red[] = "\033[31m", green[] = "\033[32m", yellow[] = "\033[33m";

struct painter {
        FILE *stream;
        const struct screen *screen;
        unsigned row;
        FILE *text; /* lines that are not painted yet */
        char *lines;
        size_t size;
};

/* Return: where to write lines; NULL: there is no memory. */
static FILE *begin_lines(struct painter *painter)
{
        painter->lines = NULL;
        painter->text = open_memstream(&painter->lines, &painter->size);
        return painter->text;
}

static bool has_room(const struct painter *painter)
{
        /* The last row is the cursor's. */
        return painter->row + 1 < painter->screen->rows;
}

static void paint(struct painter *painter, const char *colour)
{
        const struct screen *screen = painter->screen;
        const char *line;

        if (fclose(painter->text) != 0) {
                free(painter->lines);
                return;
        }
        for (line = painter->lines; *line && has_room(painter); painter->row++) {
                size_t size = strcspn(line, "\n");

                (void)fprintf(painter->stream, "%s%.*s%s" LINE_REST "\n",
                              screen->colours ? colour : "",
                              (int)(size < screen->columns ? size : screen->columns), line,
                              screen->colours ? PLAIN : "");
                line += size + (line[size] == '\n');
        }
        free(painter->lines);
}

static const char *colour_of(const struct seen_worker *worker)
{
        switch ((enum worker_state)worker->facts.state) {
        case WORKER_READY:
                return worker->queued > 0 ? yellow : green;
        case WORKER_ABORTED:
                return red;
        case WORKER_STARTING:
                return yellow;
        case WORKER_EMPTY:
        case WORKER_DRAINING:
        case WORKER_STATES_MAX:
                break;
        }
        return dim;
}

/* -- the oldest requests of all workers -- */

struct request {
        const struct flight *flight;
        uint32_t worker_id;
};

static int compare_age(const void *a, const void *b)
{
        const uint64_t first = ((const struct request *)a)->flight->started_usec;
        const uint64_t second = ((const struct request *)b)->flight->started_usec;

        return (first > second) - (first < second);
}

/* Return: to be freed; NULL: there is no memory. */
static struct request *oldest_first(const struct seen *now, size_t n_flights)
{
        struct request *requests = calloc(n_flights + 1, sizeof(*requests));
        size_t n = 0;

        for (size_t i = 0; requests && i < now->n_workers; i++)
                for (size_t j = 0; j < now->workers[i].n_flights; j++)
                        requests[n++] = (struct request){&now->workers[i].flights[j],
                                                         now->workers[i].facts.worker_id};
        if (requests)
                qsort(requests, n, sizeof(*requests), compare_age);
        return requests;
}

static void paint_requests(struct painter *painter, const struct seen *now, size_t n_flights)
{
        _cleanup_free_ struct request *requests = oldest_first(now, n_flights);

        for (size_t i = 0; requests && i < n_flights && has_room(painter); i++) {
                const struct flight *flight = requests[i].flight;

                if (!begin_lines(painter))
                        return;
                (void)fprintf(painter->text, "%3u", requests[i].worker_id);
                status_text_request(painter->text, now, flight);
                paint(painter, seen_age(now, flight->started_usec) >= OLD_USEC ? bold : "");
        }
}

static void paint_head(struct painter *painter, const struct seen *before, const struct seen *now)
{
        if (!begin_lines(painter))
                return;
        status_text_summary(painter->text, before, now);
        paint(painter, bold);
        if (!begin_lines(painter))
                return;
        status_text_header(painter->text);
        paint(painter, reverse);
}

void status_screen(FILE *stream, const struct screen *screen, bool first, const struct seen *before,
                   const struct seen *now)
{
        struct painter painter = {.stream = stream, .screen = screen};
        size_t n_flights = 0;

        (void)fputs(first ? CLEAR : HOME, stream);
        paint_head(&painter, before, now);
        for (size_t i = 0; i < now->n_workers; i++) {
                n_flights += now->workers[i].n_flights;
                if (!has_room(&painter) || !begin_lines(&painter))
                        continue;
                status_text_worker(painter.text, before, now, &now->workers[i]);
                paint(&painter, colour_of(&now->workers[i]));
        }
        paint_requests(&painter, now, n_flights);
        (void)fputs(REST, stream);
}
