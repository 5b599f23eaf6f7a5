/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `appsrv status`: what the running service does at this moment. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/status_find.h"
#include "cli/status_json.h"
#include "cli/status_screen.h"
#include "cli/status_text.h"
#include "worker/worker.h"

#define INTERVAL_USEC USEC_PER_SEC

#define RELOAD_LOOK_USEC (200 * USEC_PER_MSEC)

struct arguments {
        const char *socket;
        bool watch;
        bool json;
        bool reloaded;
};

static int parse_arguments(int argc, char *argv[], struct arguments *ret)
{
        static const struct option known[] = {
                {"watch", no_argument, NULL, 'w'},
                {"json", no_argument, NULL, 'j'},
                {"reloaded", no_argument, NULL, 'r'},
                {"socket", required_argument, NULL, 's'},
                {0},
        };
        int option;

        while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
                if (option == 'w')
                        ret->watch = true;
                else if (option == 'j')
                        ret->json = true;
                else if (option == 'r')
                        ret->reloaded = true;
                else if (option == 's')
                        ret->socket = optarg;
                else
                        return -EINVAL;
        }
        if (optind == argc)
                return 0;
        (void)fprintf(stderr, "appsrv status: unexpected argument '%s'\n", argv[optind]);
        return -EINVAL;
}

/* -- finding it -- */

static int find(struct seen **ret, char path[static STATUS_PATH_MAX], const char *socket)
{
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        /* As notify_listen() chooses. */
        const char *const folders[] = {runtime, "/tmp"};
        const size_t unset = runtime && *runtime ? 0 : 1;
        const struct status_places places = {
                .installed = CLI_STATUS,
                .folders = folders + unset,
                .n_folders = 2 - unset,
        };

        if (!socket)
                return status_find(ret, path, &places);
        (void)snprintf(path, STATUS_PATH_MAX, "%s", socket);
        return status_look(ret, path);
}

/* Return: an exit_code. */
static int cannot(int error, const char *path)
{
        const char *why = strerror(-error);

        if (error == -EPROTONOSUPPORT)
                why = "the server is of another version than this program, " APPSRV_VERSION;
        else if (error == -EBUSY)
                why = "too many look at the server at the same time";
        else if (error == -EAGAIN)
                why = "the server does not answer";
        else if (error == -EBADMSG)
                why = "this is no appsrv, or its memory is damaged";
        if (*path)
                (void)fprintf(stderr, "appsrv status: %s: %s\n", path, why);
        else
                (void)fprintf(stderr, "appsrv status: no running appsrv found\n");
        return EXIT_CODE_UNAVAILABLE;
}

/* -- showing it -- */

/* Return: whether it is as it was the last time. */
static bool measure(struct screen *screen)
{
        const struct screen last = *screen;
        const char *terminal = getenv("TERM");
        struct winsize size = {0};

        *screen = (struct screen){0};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                *screen = (struct screen){
                        .rows = size.ws_row,
                        .columns = size.ws_col,
                        .colours = !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0,
                };
        return last.rows == screen->rows && last.columns == screen->columns;
}

/* Return: 0, or a negative errno. @screen: what the last one was shown on. */
static int show(const struct arguments *arguments, struct screen *screen, const struct seen *before,
                const struct seen *now)
{
        bool same;

        if (arguments->json) {
                status_json(stdout, before, now);
        } else if (!arguments->watch) {
                status_text(stdout, before, now);
        } else {
                same = measure(screen);
                if (screen->columns > 0) {
                        status_screen(stdout, screen, !same, before, now);
                } else {
                        status_text(stdout, before, now);
                        (void)putchar('\n');
                }
        }
        return fflush(stdout) != 0 ? -errno : 0;
}

static void wait_until(uint64_t usec)
{
        const struct timespec end = {
                .tv_sec = (time_t)(usec / USEC_PER_SEC),
                .tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC),
        };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
                ;
}

/* Return: an exit_code. @before: taken over. */
static int watch(const struct arguments *arguments, struct seen *before, const char *path)
{
        struct screen screen = {0};
        struct seen *now = NULL;
        int looked = 0, shown = 0;

        do {
                wait_until(before->taken_usec + INTERVAL_USEC);
                looked = status_look(&now, path);
                if (looked < 0)
                        break;
                shown = show(arguments, &screen, before, now);
                seen_free(before);
                before = TAKE_PTR(now);
        } while (shown == 0 && arguments->watch);
        seen_free(before);
        if (looked < 0)
                return cannot(looked, path);
        if (shown == 0)
                return EXIT_CODE_OK;
        (void)fprintf(stderr, "appsrv status: %s\n", strerror(-shown));
        return EXIT_CODE_BUG;
}

/* -- how a reload went -- */

/* One line, whatever an application has said. */
static void put_refusal(const char *why)
{
        (void)fputs("appsrv status: reload refused: ", stderr);
        for (; *why; why++)
                (void)fputc((unsigned char)*why < ' ' || *why == 0x7f ? '?' : *why, stderr);
        (void)fputc('\n', stderr);
}

/* systemd ends who waits too long. Return: an exit_code. @seen: taken over. */
static int await_reload(struct seen *seen, const char *path)
{
        bool refused;

        while (seen->master.reload.under_way) {
                int r;

                wait_until(now_usec() + RELOAD_LOOK_USEC);
                seen_free(seen);
                do
                        r = status_look(&seen, path);
                while (r == -EBUSY);
                if (r < 0)
                        return cannot(r, path);
        }
        refused = seen->master.reload.refusal[0] != '\0';
        if (refused)
                put_refusal(seen->master.reload.refusal);
        seen_free(seen);
        return refused ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
}

int cli_status(int argc, char *argv[])
{
        struct arguments arguments = {0};
        char path[STATUS_PATH_MAX];
        struct seen *first = NULL;
        int r;

        if (parse_arguments(argc, argv, &arguments) < 0)
                return EXIT_CODE_CONFIG;
        r = find(&first, path, arguments.socket);
        if (r < 0)
                return cannot(r, path);
        return arguments.reloaded ? await_reload(first, path) : watch(&arguments, first, path);
}
