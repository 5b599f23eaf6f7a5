/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a program: found, started, waited for, judged. */
#include "app/cgi_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "app/cgi_relay.h"
#include "app/kind.h"
#include "base/cleanup.h"
#include "log/events.h"

struct run {
        struct exchange *exchange;
        struct cgi_seat *seat;
        struct cgi_program program;
        struct cgi_environ environ;
        struct cgi_answer answer;
        struct cgi_relay relay;
};

static const struct cgi *cgi_of(const struct exchange *exchange)
{
        return exchange->app->instance;
}

int cgi_refuse(struct exchange *exchange, int status, const char *reason)
{
        exchange->reason = reason;
        response_error(exchange->response, exchange->arena, status, NULL);
        return 0;
}

/* -- records -- */

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
                program_add_exit_code(&record, "EXIT_CODE", &exchange->program);
                program_add_signal(&record, "SIGNAL", &exchange->program);
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
                return cgi_refuse(run->exchange, 431, "its environment is too large");
        record_failure(run, NULL, why ? why : "it cannot be started");
        return cgi_refuse(run->exchange, full ? 503 : 500, "the program cannot be started");
}

static int make_environ(struct run *run)
{
        const struct cgi *cgi = cgi_of(run->exchange);
        const struct header *left_out;

        run->environ = (struct cgi_environ){.arena = run->exchange->arena};
        cgi_environ_request(&run->environ, &cgi->fixed, &cgi->settings, &run->program,
                            run->exchange->request);
        left_out = run->environ.left_out;
        if (left_out) /* told once: the first one will do */
                app_left_out(run->exchange, left_out->name, left_out->name_size);
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
                .watch = cgi_of(run->exchange)->watch,
                .noted = run->exchange->group,
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

/* From now on it is known that it may be abandoned. */
static void announce(const struct run *run)
{
        struct exchange *exchange = run->exchange;

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
        run->exchange->program = (struct program_end){
                .pid = run->relay.child.pid,
                .known = true,
                .status = cgi_relay_run(&run->relay),
        };
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
        return cgi_refuse(exchange, status, fault);
}

/* How it ended is told although its answer is well. */
static void judge_ending(const struct run *run)
{
        int status = run->exchange->program.status;

        if (run->relay.killed)
                record_failure(run, &run->relay.child, "it went on after its answer");
        else if (WIFSIGNALED(status))
                record_failure(run, &run->relay.child, "it was killed");
        else if (WEXITSTATUS(status) != 0)
                record_failure(run, &run->relay.child, "it failed");
}

/* Whether its client was answered because it took longer than request_timeout. */
static bool is_overdue(const struct exchange *exchange)
{
        return exchange->time_left && exchange->time_left(exchange->news_data) == 0;
}

static int judge(struct run *run)
{
        switch (run->relay.end) {
        case CGI_ABANDONED:
                /* The access record may not have waited for its end. */
                if (is_overdue(run->exchange))
                        record_failure(run, &run->relay.child,
                                       "it took longer than request_timeout");
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

int cgi_run(struct exchange *exchange, struct cgi_seat *seat)
{
        const struct cgi *cgi = cgi_of(exchange);
        const char *mount = exchange->app->config->mount;
        struct run run = {.exchange = exchange, .seat = seat};
        int r = cgi_program_find(&run.program, &cgi->settings, &cgi->tree,
                                 strcmp(mount, "/") == 0 ? "" : mount, exchange->request->path,
                                 exchange->arena);

        if (r > 0)
                return cgi_refuse(exchange, r,
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
