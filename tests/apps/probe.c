/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application that tests talk to: every route makes one thing happen that a test looks at from
 * outside. Concurrent, so that many of them can happen at once.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MSEC_PER_SEC  1000
#define NSEC_PER_USEC 1000
#define NSEC_PER_MSEC 1000000
#define NSEC_PER_SEC  INT64_C(1000000000)

/* What start() makes. */
struct probe {
        const char *greeting;
};

struct route {
        const char *path;
        int (*handle)(appsrv_req *req, struct probe *probe);
};

/* Text that grows in the request's memory; what found no room is missing at its end. */
struct text {
        char *bytes;
        size_t size;
        size_t room;
};

static int send_text(appsrv_req *req, int status, const char *text)
{
        return appsrv_send(req, status, "text/plain", text, strlen(text));
}

static unsigned long number_of(const char *text)
{
        return text ? strtoul(text, NULL, 10) : 0;
}

static unsigned long argument(appsrv_req *req, const char *name)
{
        return number_of(appsrv_arg(req, name, NULL));
}

static void sleep_ms(unsigned long ms)
{
        struct timespec left = {.tv_sec = (time_t)(ms / MSEC_PER_SEC),
                                .tv_nsec = (long)(ms % MSEC_PER_SEC) * NSEC_PER_MSEC};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static int64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void add_bytes(struct text *text, const void *bytes, size_t size)
{
        if (size > text->room - text->size)
                size = text->room - text->size;
        memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
}

static void add_line(struct text *text, const char *name, const char *value, size_t size)
{
        add_bytes(text, name, strlen(name));
        add_bytes(text, ": ", 2);
        add_bytes(text, value, size);
        add_bytes(text, "\n", 1);
}

static int add_header(void *arg, const char *name, size_t name_len, const char *value,
                      size_t value_len)
{
        struct text *text = arg;

        add_bytes(text, "header ", 7);
        add_bytes(text, name, name_len);
        add_bytes(text, ": ", 2);
        add_bytes(text, value, value_len);
        add_bytes(text, "\n", 1);
        return 0;
}

static int root(appsrv_req *req, struct probe *probe)
{
        return send_text(req, 200, probe->greeting);
}

/* "name: value" lines, "header Name: value" lines, an empty line, the body. */
static int echo(appsrv_req *req, struct probe *probe)
{
        static const char *const infos[] = {"host",        "peer",     "id",
                                            "scheme",      "version",  "tls.version",
                                            "tls.subject", "peer.uid", "peer.pid"};
        struct text text = {.room = 128 * 1024};
        size_t size;
        const char *value = appsrv_body(req, &size);

        (void)probe;
        text.room += size;
        text.bytes = appsrv_alloc(req, text.room);
        if (!text.bytes)
                return -ENOMEM;
        add_line(&text, "method", appsrv_method(req), strlen(appsrv_method(req)));
        value = appsrv_target(req, &size);
        add_line(&text, "target", value, size);
        value = appsrv_prefix(req, &size);
        add_line(&text, "prefix", value, size);
        value = appsrv_path(req, &size);
        add_line(&text, "path", value, size);
        value = appsrv_query(req, &size);
        add_line(&text, "query", value, size);
        for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
                value = appsrv_info(req, infos[i]);
                if (value)
                        add_line(&text, infos[i], value, strlen(value));
        }
        (void)appsrv_headers(req, add_header, &text);
        add_bytes(&text, "\n", 1);
        value = appsrv_body(req, &size);
        add_bytes(&text, value, size);
        return appsrv_send(req, 200, "text/plain", text.bytes, text.size);
}

/* The result of a log call as the response: 200 and "0", or 500 and the negative errno value. */
static int send_result(appsrv_req *req, int result)
{
        char text[16];

        (void)snprintf(text, sizeof(text), "%d\n", result);
        return send_text(req, result == 0 ? 200 : 500, text);
}

static int log_body(appsrv_req *req, struct probe *probe)
{
        appsrv_field fields[] = {{"MESSAGE", NULL, 0}, {"PROBE", "1", 1}};

        (void)probe;
        fields[0].value = appsrv_body(req, &fields[0].len);
        return send_result(req, appsrv_logv(appsrv_ctx_of(req), req, APPSRV_INFO, fields, 2));
}

/* ?NAME=value&NAME=value: a record with these fields, of @subject or of none. */
static int log_query(appsrv_req *req, appsrv_req *subject)
{
        enum { MOST = 64 };
        appsrv_field fields[MOST] = {{"MESSAGE", "fields", APPSRV_STRING}};
        size_t query_size, n = 1;
        const char *query = appsrv_query(req, &query_size);
        char *names = appsrv_alloc(req, query_size + 1), *rest = names, *pair;

        if (!names)
                return -ENOMEM;
        memcpy(names, query, query_size);
        while (n < MOST && (pair = strsep(&rest, "&")) != NULL && *pair) {
                pair[strcspn(pair, "=")] = '\0';
                fields[n].name = pair;
                fields[n].value = appsrv_arg(req, pair, &fields[n].len);
                n++;
        }
        return send_result(req, appsrv_logv(appsrv_ctx_of(req), subject, APPSRV_INFO, fields, n));
}

static int log_fields(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        return log_query(req, req);
}

/* As a thread of the application's own would. */
static int log_orphan(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        return log_query(req, NULL);
}

static int sleeper(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        sleep_ms(argument(req, "ms"));
        return send_text(req, 200, "slept\n");
}

static int spin(appsrv_req *req, struct probe *probe)
{
        int64_t end = now_ns() + (int64_t)argument(req, "ms") * NSEC_PER_MSEC +
                      (int64_t)argument(req, "us") * NSEC_PER_USEC;

        (void)probe;
        while (now_ns() < end)
                ;
        return send_text(req, 200, "spun\n");
}

/* By the signal itself: no compiler and no sanitizer can make anything else of it. */
static int crash(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
        return send_text(req, 200, "still here\n");
}

/* As a bug does it, unlike crash(), so that the worker's own handler sees it. Without an address it
 * is the first one. */
static int fault(appsrv_req *req, struct probe *probe)
{
        volatile const int *nowhere = (volatile const int *)argument(req, "address");

        (void)probe;
        return send_text(req, *nowhere, "still here\n");
}

static int aborter(appsrv_req *req, struct probe *probe)
{
        (void)req;
        (void)probe;
        abort();
}

static int exiter(appsrv_req *req, struct probe *probe)
{
        (void)req;
        (void)probe;
        _exit(3);
}

static int numbers(appsrv_req *req, struct probe *probe)
{
        const appsrv_ctx *ctx = appsrv_ctx_of(req);
        char text[64];

        (void)probe;
        (void)snprintf(text, sizeof(text), "%d of %d, %d threads\n", appsrv_worker_id(ctx),
                       appsrv_workers(ctx), appsrv_threads(ctx));
        return send_text(req, 200, text);
}

static int pid(appsrv_req *req, struct probe *probe)
{
        char text[16];

        (void)probe;
        (void)snprintf(text, sizeof(text), "%ld\n", (long)getpid());
        return send_text(req, 200, text);
}

/* ?name=&value=: a header of the response; 500 and the result when it is refused. */
static int header(appsrv_req *req, struct probe *probe)
{
        const char *name = appsrv_arg(req, "name", NULL), *value = appsrv_arg(req, "value", NULL);

        (void)probe;
        return send_result(req, appsrv_add(req, name ? name : "", value ? value : ""));
}

static int status(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        return appsrv_send(req, (int)argument(req, "code"), NULL, NULL, 0);
}

static int fail(appsrv_req *req, struct probe *probe)
{
        (void)req;
        (void)probe;
        return -EIO;
}

static int silent(appsrv_req *req, struct probe *probe)
{
        (void)req;
        (void)probe;
        return 0;
}

static int large(appsrv_req *req, struct probe *probe)
{
        size_t size = argument(req, "bytes");
        char *bytes = malloc(size + 1);
        int r;

        (void)probe;
        if (!bytes)
                return -ENOMEM;
        memset(bytes, 'x', size);
        r = appsrv_send(req, 200, "application/octet-stream", bytes, size);
        free(bytes);
        return r;
}

/* ?path=&offset=&len=: bytes of a file. */
static int file(appsrv_req *req, struct probe *probe)
{
        const char *path = appsrv_arg(req, "path", NULL);
        int fd = open(path ? path : "", O_RDONLY | O_CLOEXEC), r;

        (void)probe;
        r = appsrv_send_file(req, 200, "text/plain", fd, argument(req, "offset"),
                             argument(req, "len"));
        if (fd >= 0)
                (void)close(fd);
        return r == -EBADF ? send_text(req, 404, "no such file\n") : r;
}

/* The body, read in pieces of ?size= bytes. */
static int reader(appsrv_req *req, struct probe *probe)
{
        size_t size = argument(req, "size"), whole, used = 0;
        char *bytes;
        int64_t n;

        (void)probe;
        (void)appsrv_body(req, &whole);
        bytes = appsrv_alloc(req, whole + size);
        if (!bytes)
                return -ENOMEM;
        while ((n = appsrv_read(req, bytes + used, size)) > 0)
                used += (size_t)n;
        return n < 0 ? (int)n : appsrv_send(req, 200, "text/plain", bytes, used);
}

static int request_id(appsrv_req *req, struct probe *probe)
{
        (void)probe;
        return send_text(req, 200, appsrv_info(req, "id"));
}

/* Writes to its standard streams: ?stdout=, ?stderr=. */
static int print(appsrv_req *req, struct probe *probe)
{
        const char *out = appsrv_arg(req, "stdout", NULL), *err = appsrv_arg(req, "stderr", NULL);

        (void)probe;
        if (out)
                (void)fprintf(stdout, "%s\n", out);
        (void)fflush(stdout);
        if (err)
                (void)fprintf(stderr, "%s\n", err);
        return send_text(req, 200, "printed\n");
}

/* Gives, after ?wait= ms, ?pieces= of ?size= bytes, with ?ms= between; announces ?length=, with
 * ?code= if not 200; fails at the end with ?fail. */
static int stream(appsrv_req *req, struct probe *probe)
{
        size_t pieces = argument(req, "pieces"), size = argument(req, "size");
        const char *length = appsrv_arg(req, "length", NULL);
        size_t ms = argument(req, "ms"), code = argument(req, "code");
        const struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
                                       .tv_nsec = (long)(ms % 1000) * 1000000};
        char *bytes = appsrv_alloc(req, size + 1);
        int r = 0;

        (void)probe;
        if (!bytes)
                return -ENOMEM;
        memset(bytes, 'x', size);
        sleep_ms(argument(req, "wait"));
        if (length)
                r = appsrv_begin(req, code > 0 ? (int)code : 200, "text/plain",
                                 (int64_t)number_of(length));
        for (size_t i = 0; r == 0 && i < pieces; i++) {
                r = appsrv_write(req, bytes, size);
                (void)nanosleep(&pause, NULL);
        }
        if (r == -EPIPE)
                APPSRV_LOG(req, APPSRV_NOTICE, "the client has gone");
        return appsrv_arg(req, "fail", NULL) ? -EIO : r;
}

/* Takes ?size= bytes that it never gives back. */
static int keep(appsrv_req *req, struct probe *probe)
{
        static char *volatile kept; /* or the compiler leaves all of it out */
        size_t size = argument(req, "size");

        (void)probe;
        kept = malloc(size + 1);
        if (!kept)
                return -ENOMEM;
        memset(kept, 'x', size);
        return send_text(req, 200, "kept\n");
}

/* Works for ?ms=, asks for ?extend= ms first, and says what it was told and what is left. */
static int extended(appsrv_req *req, struct probe *probe)
{
        int64_t before = appsrv_time_left(req);
        int r = appsrv_extend(req, (int64_t)argument(req, "extend") * 1000);
        int64_t after = appsrv_time_left(req);
        char text[100];

        (void)probe;
        (void)snprintf(text, sizeof(text), "%lld %d %lld\n", (long long)before, r,
                       (long long)after);
        sleep_ms(argument(req, "ms"));
        return send_text(req, 200, text);
}

/* Works until its client is in a state beyond ?patience=, for ?ms= at most, and tells which it is.
 */
static int outlast(appsrv_req *req, struct probe *probe)
{
        unsigned long left = argument(req, "ms");
        char text[16];

        (void)probe;
        APPSRV_LOG(req, APPSRV_INFO, "outlast begins");
        while (left > 0 && appsrv_client(req) <= (int)argument(req, "patience")) {
                sleep_ms(10);
                left -= left < 10 ? left : 10;
        }
        APPSRV_LOG(req, APPSRV_INFO, "client %d, %s ms left", appsrv_client(req),
                   left > 0 ? "some" : "no");
        (void)snprintf(text, sizeof(text), "%d\n", appsrv_client(req));
        return send_text(req, 200, text);
}

/* For ?ms=, in a process of its own, and so do those that it forks. */
static void explode(int64_t end)
{
        const struct timespec pause = {.tv_nsec = 20 * NSEC_PER_MSEC};

        (void)signal(SIGCHLD, SIG_IGN);
        while (now_ns() < end) {
                (void)fork();
                (void)nanosleep(&pause, NULL);
        }
        _exit(0);
}

static int bomb(appsrv_req *req, struct probe *probe)
{
        int64_t end = now_ns() + (int64_t)argument(req, "ms") * NSEC_PER_MSEC;

        (void)probe;
        if (fork() == 0)
                explode(end);
        return send_text(req, 200, "it has begun\n");
}

static const struct route routes[] = {
        {"/", root},           {"/echo", echo},
        {"/log", log_body},    {"/fields", log_fields},
        {"/sleep", sleeper},   {"/spin", spin},
        {"/crash", crash},     {"/abort", aborter},
        {"/exit", exiter},     {"/pid", pid},
        {"/header", header},   {"/status", status},
        {"/fail", fail},       {"/silent", silent},
        {"/large", large},     {"/id", request_id},
        {"/print", print},     {"/fault", fault},
        {"/stream", stream},   {"/read", reader},
        {"/file", file},       {"/orphan", log_orphan},
        {"/numbers", numbers}, {"/keep", keep},
        {"/extend", extended}, {"/outlast", outlast},
        {"/bomb", bomb},
};

static int handle(appsrv_req *req, void *self)
{
        const char *path = appsrv_path(req, NULL);

        for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
                if (strcmp(path, routes[i].path) == 0)
                        return routes[i].handle(req, self);
        }
        return send_text(req, 404, "no such route\n");
}

static int start(appsrv_ctx *ctx, void **self)
{
        struct probe *probe;
        const char *greeting = appsrv_config(ctx, "greeting");

        sleep_ms(number_of(appsrv_config(ctx, "start_delay_ms")));
        if (appsrv_config(ctx, "start_fail"))
                return -ENODEV;
        if (appsrv_config(ctx, "start_exit"))
                _exit((int)number_of(appsrv_config(ctx, "start_exit")));
        probe = calloc(1, sizeof(*probe));
        if (!probe)
                return -ENOMEM;
        probe->greeting = greeting ? greeting : "ok\n";
        *self = probe;
        APPSRV_LOG_CTX(ctx, APPSRV_DEBUG, "probe started in worker %d", appsrv_worker_id(ctx));
        return 0;
}

static void stop(appsrv_ctx *ctx, void *self)
{
        (void)ctx;
        free(self);
}

static const char *const settings[] = {"greeting", "start_delay_ms", "start_exit", "start_fail",
                                       NULL};

APPSRV_APP(.name = "probe", .version = "1", .flags = APPSRV_F_CONCURRENT, .settings = settings,
           .start = start, .handle = handle, .stop = stop);
