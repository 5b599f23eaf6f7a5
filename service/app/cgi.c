/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CGI applications (RFC 3875): a program is run for each request. cgi_check() runs anywhere,
 * cgi_handle() on application threads, the rest on the thread that owns the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "app/cgi_run.h"
#include "app/kind.h"
#include "base/cleanup.h"
#include "base/strays.h"

static int cgi_handle(struct exchange *exchange)
{
        struct cgi *cgi = exchange->app->instance;
        struct cgi_seat *seat;
        int r;

        if (atomic_load(&exchange->abandoned))
                return -EPIPE;
        seat = cgi_seat_take(&cgi->seats);
        if (!seat)
                return cgi_refuse(exchange, 503, "too many programs run");
        r = cgi_run(exchange, seat);
        cgi_seat_leave(&cgi->seats, seat);
        return r;
}

/* -- life -- */

static int cgi_check(const struct app_config *config, struct problems *problems)
{
        struct cgi_settings settings;

        return cgi_settings_read(&settings, config, problems);
}

static void cgi_free(struct cgi *cgi)
{
        if (!cgi)
                return;
        cgi_seats_free(&cgi->seats);
        close_descriptor(&cgi->nothing);
        close_descriptor(&cgi->watch);
        tree_close(&cgi->tree);
        arena_free(&cgi->arena);
        free(cgi);
}

static int refuse_path(const struct app_config *config, struct problems *problems, const char *key,
                       const char *path, const char *why)
{
        return problems_add(problems, cgi_settings_origin(config, key), "[app %s] %s: %s: %s",
                            config->name, key, path, why);
}

/* A file that can be executed by the service. */
static int check_file(const struct app_config *config, struct problems *problems, const char *key,
                      const char *path, int mode)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return refuse_path(config, problems, key, path, strerrordesc_np(errno));
        if (!S_ISREG(status.st_mode))
                return refuse_path(config, problems, key, path, "not a file");
        if (access(path, mode) < 0)
                return refuse_path(config, problems, key, path,
                                   mode == X_OK ? "cannot be executed by the service"
                                                : "cannot be read by the service");
        return 0;
}

static int check_files(struct cgi *cgi, const struct app_config *config, struct problems *problems)
{
        const struct cgi_settings *settings = &cgi->settings;
        bool interpreted = *settings->interpreter != '\0';
        int r = 0;

        if (interpreted)
                r = check_file(config, problems, "interpreter", settings->interpreter, X_OK);
        if (r == 0 && *settings->program)
                r = check_file(config, problems, "program", settings->program,
                               interpreted ? R_OK : X_OK);
        if (r == 0 && *settings->root) {
                r = tree_open(&cgi->tree, settings->root);
                if (r < 0)
                        r = refuse_path(config, problems, "root", settings->root,
                                        strerrordesc_np(-r));
        }
        return r;
}

static int make_seats(struct cgi *cgi, unsigned threads)
{
        uint64_t limit = cgi->settings.concurrency;
        unsigned n = threads > 0 ? threads : 1;

        return cgi_seats_make(&cgi->seats, limit > 0 && limit < n ? (unsigned)limit : n);
}

/* A server by hand has one that programs must not ask for passwords. Without one a session would do
 * nothing, but the kernel makes a scheduling group of each (some 30 us). */
static bool has_terminal(void)
{
        _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

        return fd >= 0;
}

static int cgi_fill(struct cgi *cgi, struct app *app, struct problems *problems)
{
        int r = cgi_settings_read(&cgi->settings, app->config, problems);

        if (r == 0)
                r = check_files(cgi, app->config, problems);
        if (r < 0)
                return r;
        cgi->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (cgi->nothing < 0)
                return -errno;
        cgi->terminal = has_terminal();
        cgi_environ_fixed(&cgi->fixed, &cgi->settings, app->config, getenv);
        if (cgi->fixed.error == -E2BIG)
                return problems_add(problems, &app->config->origin,
                                    "[app %s] env: more than the environment of a program takes",
                                    app->config->name);
        return cgi->fixed.error;
}

static int cgi_load(struct app *app, struct problems *problems)
{
        struct cgi *cgi = calloc(1, sizeof(*cgi));
        int r;

        if (!cgi)
                return -ENOMEM;
        cgi->tree.root = cgi->nothing = cgi->watch = -1;
        cgi->fixed.arena = &cgi->arena;
        r = cgi_fill(cgi, app, problems);
        if (r < 0) {
                cgi_free(cgi);
                return r;
        }
        app->instance = cgi;
        return 0;
}

/* In the worker itself, which may have been forked from where it was loaded. The master takes in
 * who loses its parent. */
static int cgi_start(struct app *app)
{
        struct cgi *cgi = app->instance;

        cgi->watch = strays_watch(getppid());
        return make_seats(cgi, app->host->threads);
}

static void cgi_unload(struct app *app)
{
        cgi_free(app->instance);
        app->instance = NULL;
}

const struct kind kind_cgi = {
        .name = "cgi",
        .check = cgi_check,
        .load = cgi_load,
        .unload = cgi_unload,
        .start = cgi_start,
        .handle = cgi_handle,
        .abandonable = true,
};
