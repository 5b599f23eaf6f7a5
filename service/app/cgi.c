/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CGI applications (RFC 3875): a program is run for each request. cgi_check() runs anywhere,
 * cgi_handle() on application threads, the rest on the thread that owns the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "app/cgi_relay.h"
#include "app/cgi_environ.h"
#include "app/kind.h"
#include "app/tree.h"
#include "base/cleanup.h"
#include "log/events.h"

/* What running a program takes, kept for the next one. */
struct seat {
        struct seat *next;
        int alarm;
        char *stack;
        char *room;
        struct cgi_stderr *errors;
};

struct cgi {
        struct cgi_settings settings;
        struct tree tree;
        struct arena arena; /* of fixed */
        struct cgi_environ fixed;
        int nothing; /* /dev/null */
        bool terminal;
        struct seat *seats;
        unsigned n_seats;
        pthread_mutex_t mutex;
        struct seat *vacant;
};

/* One program that is run. */
struct run {
        struct exchange *exchange;
        struct seat *seat;
        struct cgi_program program;
        struct cgi_environ environ;
        struct cgi_answer answer;
        struct cgi_relay relay;
        int status;
};

static const struct cgi *cgi_of(const struct exchange *exchange)
{
        return exchange->app->instance;
}

static int refuse(struct exchange *exchange, int status, const char *reason)
{
        exchange->reason = reason;
        response_error(exchange->response, exchange->arena, status, NULL);
        return 0;
}

/* -- records -- */

static void add_ending(struct record *record, int status)
{
        const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

        if (WIFEXITED(status))
                record_number(record, "EXIT_CODE", (uint64_t)WEXITSTATUS(status));
        else if (name)
                record_string(record, "SIGNAL", name);
        else
                record_number(record, "SIGNAL", (uint64_t)WTERMSIG(status));
}

/* @child: what is known of it; NULL: it was not started. */
static void record_failure(const struct run *run, const struct cgi_child *child, const char *what)
{
        const struct exchange *exchange = run->exchange;
        const struct app *app = exchange->app;
        struct record record;

        record_event(&record, EVENT_PROGRAM_FAILED, &app->host->subject);
        record_string(&record, "APP", app_name(app));
        record_string(&record, "REQUEST_ID", exchange->request->id);
        record_string(&record, "PROGRAM", run->program.file);
        if (child) {
                record_number(&record, "CGI_PID", (uint64_t)child->pid);
                add_ending(&record, run->status);
        }
        record_format(&record, "MESSAGE", "Application %s: %s: %s", app_name(app),
                      run->program.file, what);
        (void)log_commit(app->host->log, &record);
}

/* -- before it runs -- */

static const char *why_not_started(int error)
{
        switch (error) {
        case -EAGAIN:
        case -ENOMEM:
        case -EMFILE:
        case -ENFILE:
                return "no room for another process";
        case -ENOEXEC:
                return "it is no program, and its first line names no interpreter (#!)";
        case -ENOENT:
                return "it, or the interpreter that its first line names, is not there";
        default:
                return strerrordesc_np(-error);
        }
}

static int refuse_start(const struct run *run, int error)
{
        bool full = error == -EAGAIN || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
        const char *why = why_not_started(error);

        if (error == -E2BIG)
                return refuse(run->exchange, 431, "its environment is too large");
        record_failure(run, NULL, why ? why : "it cannot be started");
        return refuse(run->exchange, full ? 503 : 500, "the program cannot be started");
}

static void tell_what_is_left_out(const struct run *run)
{
        const struct request *request = run->exchange->request;

        for (size_t i = 0; i < request->n_headers; i++)
                if (memchr(request->headers[i].name, '_', request->headers[i].name_size))
                        app_left_out(run->exchange, request->headers[i].name,
                                     request->headers[i].name_size);
}

static int make_environ(struct run *run)
{
        const struct cgi *cgi = cgi_of(run->exchange);

        tell_what_is_left_out(run);
        run->environ = (struct cgi_environ){.arena = run->exchange->arena};
        cgi_environ_request(&run->environ, &cgi->fixed, &cgi->settings, &run->program,
                            run->exchange->request);
        return run->environ.error;
}

/* A pipe whose end at @own is the worker's. */
static int make_pipe(int fds[static 2], int own)
{
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        return fcntl(fds[own], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static void close_pair(int fds[static 2])
{
        close_descriptor(&fds[0]);
        close_descriptor(&fds[1]);
}

static int start_child(struct run *run, const int streams[static 3])
{
        const struct cgi_settings *settings = &cgi_of(run->exchange)->settings;
        bool interpreted = *settings->interpreter != '\0';
        const char *file = interpreted ? settings->interpreter : run->program.file;
        const char *words[] = {file, interpreted ? run->program.file : NULL, NULL};
        char *arguments[sizeof(words) / sizeof(words[0])]; /* as exec() wants them, unchanged */
        const struct cgi_command command = {
                .file = file,
                .arguments = arguments,
                .variables = run->environ.variables,
                .directory = run->program.directory,
                .session = cgi_of(run->exchange)->terminal,
                .streams = {streams[0], streams[1], streams[2]},
                .settings = settings,
        };

        memcpy(arguments, words, sizeof(words));
        return cgi_child_start(&run->relay.child, &command, run->seat->stack);
}

/* The program's ends are closed here in any case, the worker's when it was not started. */
static int start(struct run *run)
{
        const struct request *request = run->exchange->request;
        struct cgi_relay *relay = &run->relay;
        int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
        int r = make_environ(run);

        if (r == 0 && request->body_size > 0)
                r = make_pipe(in, 1);
        if (r == 0)
                r = make_pipe(out, 0);
        if (r == 0)
                r = make_pipe(err, 0);
        if (r == 0)
                r = start_child(run,
                                (const int[]){in[0] < 0 ? cgi_of(run->exchange)->nothing : in[0],
                                              out[1], err[1]});
        if (r == 0) {
                relay->in = TAKE_FD(in[1]);
                relay->out = TAKE_FD(out[0]);
                relay->err = TAKE_FD(err[0]);
        }
        close_pair(in);
        close_pair(out);
        close_pair(err);
        return r;
}

/* -- while it runs -- */

/* From now on it is known that it may be abandoned, and what is to be killed then. */
static void announce(const struct run *run)
{
        struct exchange *exchange = run->exchange;

        if (exchange->group)
                atomic_store(exchange->group, run->relay.child.pid);
        atomic_store(&exchange->alarm, run->seat->alarm);
        if (atomic_load(&exchange->abandoned))
                (void)eventfd_write(run->seat->alarm, 1);
}

static void withdraw(const struct run *run)
{
        atomic_store(&run->exchange->alarm, 0);
        if (run->exchange->group)
                atomic_store(run->exchange->group, 0);
}

static void relay(struct run *run)
{
        const struct cgi_settings *settings = &cgi_of(run->exchange)->settings;
        const struct request *request = run->exchange->request;

        run->relay.settings = settings;
        run->relay.answer = &run->answer;
        run->relay.errors = run->seat->errors;
        run->relay.alarm = run->seat->alarm;
        run->relay.abandoned = &run->exchange->abandoned;
        run->relay.body = request->body;
        run->relay.left = request->body_size;
        cgi_answer_begin(&run->answer, run->exchange, run->seat->room, settings->output_limit);
        cgi_stderr_begin(run->seat->errors, run->exchange, run->relay.child.pid,
                         settings->error_limit);
        announce(run);
        run->status = cgi_relay_run(&run->relay);
        withdraw(run);
}

/* -- when it has ended -- */

/* Its answer cannot be used, or not all of it. */
static int fail(const struct run *run, int status, const char *fault)
{
        struct exchange *exchange = run->exchange;

        record_failure(run, &run->relay.child, fault);
        if (run->answer.begun) {
                exchange->reason = fault;
                return -ECANCELED;
        }
        return refuse(exchange, status, fault);
}

/* How it ended is told although its answer is well. */
static void judge_ending(const struct run *run)
{
        if (run->relay.killed)
                record_failure(run, &run->relay.child, "it went on after its answer");
        else if (WIFSIGNALED(run->status))
                record_failure(run, &run->relay.child, "it was killed");
        else if (WEXITSTATUS(run->status) != 0)
                record_failure(run, &run->relay.child, "it failed");
}

static int judge(struct run *run)
{
        switch (run->relay.end) {
        case CGI_ABANDONED:
                return -EPIPE;
        case CGI_SILENT:
                return fail(run, 504, "it did nothing for too long");
        case CGI_OVERDUE:
                return fail(run, 504, "it took too long");
        case CGI_ENDED:
        case CGI_LINGERED:
        case CGI_REFUSED:
                break;
        }
        cgi_answer_end(&run->answer);
        if (run->answer.fault)
                return fail(run, 502, run->answer.fault);
        judge_ending(run);
        run->exchange->redirect = cgi_answer_local(&run->answer);
        return run->answer.gone ? -EPIPE : 0;
}

static int run_program(struct exchange *exchange, struct seat *seat)
{
        const struct cgi *cgi = cgi_of(exchange);
        const char *mount = exchange->app->config->mount;
        struct run run = {.exchange = exchange, .seat = seat};
        int r = cgi_program_find(&run.program, &cgi->settings, &cgi->tree,
                                 strcmp(mount, "/") == 0 ? "" : mount, exchange->request->path,
                                 exchange->arena);

        if (r > 0)
                return refuse(exchange, r,
                              r == 501 ? "programs without parsed headers (NPH) are not served"
                                       : NULL);
        if (r < 0)
                return r;
        r = start(&run);
        if (r < 0)
                return refuse_start(&run, r);
        relay(&run);
        return judge(&run);
}

/* -- seats: as many programs as may run at once -- */

static struct seat *take_seat(struct cgi *cgi)
{
        struct seat *seat;

        pthread_mutex_lock(&cgi->mutex);
        seat = cgi->vacant;
        if (seat)
                cgi->vacant = seat->next;
        pthread_mutex_unlock(&cgi->mutex);
        return seat;
}

static void leave_seat(struct cgi *cgi, struct seat *seat)
{
        pthread_mutex_lock(&cgi->mutex);
        seat->next = cgi->vacant;
        cgi->vacant = seat;
        pthread_mutex_unlock(&cgi->mutex);
}

static int cgi_handle(struct exchange *exchange)
{
        struct cgi *cgi = exchange->app->instance;
        struct seat *seat;
        int r;

        if (atomic_load(&exchange->abandoned))
                return -EPIPE;
        seat = take_seat(cgi);
        if (!seat)
                return refuse(exchange, 503, "too many programs run");
        r = run_program(exchange, seat);
        leave_seat(cgi, seat);
        return r;
}

static void free_seats(struct cgi *cgi)
{
        for (unsigned i = 0; i < cgi->n_seats; i++) {
                struct seat *seat = &cgi->seats[i];

                free(seat->errors);
                free(seat->room);
                if (seat->stack)
                        (void)munmap(seat->stack, CGI_STACK_SIZE);
                close_descriptor(&seat->alarm);
        }
        free(cgi->seats);
}

static int make_seat(struct seat *seat)
{
        void *stack = mmap(NULL, CGI_STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

        seat->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        seat->stack = stack == MAP_FAILED ? NULL : stack;
        seat->room = malloc(CGI_ROOM);
        seat->errors = calloc(1, sizeof(*seat->errors));
        if (seat->alarm < 0)
                return -errno;
        return seat->stack && seat->room && seat->errors ? 0 : -ENOMEM;
}

static int make_seats(struct cgi *cgi, unsigned threads)
{
        unsigned n = threads > 0 ? threads : 1;
        int r = 0;

        if (cgi->settings.concurrency > 0 && cgi->settings.concurrency < n)
                n = (unsigned)cgi->settings.concurrency;
        cgi->seats = calloc(n, sizeof(*cgi->seats));
        if (!cgi->seats)
                return -ENOMEM;
        while (r == 0 && cgi->n_seats < n) {
                struct seat *seat = &cgi->seats[cgi->n_seats++];

                r = make_seat(seat);
                seat->next = cgi->vacant;
                cgi->vacant = seat;
        }
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
        free_seats(cgi);
        close_descriptor(&cgi->nothing);
        tree_close(&cgi->tree);
        arena_free(&cgi->arena);
        (void)pthread_mutex_destroy(&cgi->mutex);
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
        return cgi->fixed.error < 0 ? cgi->fixed.error : make_seats(cgi, app->host->threads);
}

static int cgi_load(struct app *app, struct problems *problems)
{
        struct cgi *cgi = calloc(1, sizeof(*cgi));
        int r;

        if (!cgi)
                return -ENOMEM;
        cgi->tree.root = cgi->nothing = -1;
        cgi->fixed.arena = &cgi->arena;
        (void)pthread_mutex_init(&cgi->mutex, NULL);
        r = cgi_fill(cgi, app, problems);
        if (r < 0) {
                cgi_free(cgi);
                return r;
        }
        app->instance = cgi;
        return 0;
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
        .handle = cgi_handle,
        .abandonable = true,
};
