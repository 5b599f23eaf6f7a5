/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application that keeps a ledger: notes each request in $STATE_DIRECTORY/ledger before it does
 * anything else, and what became of its log record before it answers. One write(2) a note, so that
 * it is there whole whatever is killed. ?do= makes a request that ends its worker.
 *
 *   /work?id=ID&ms=MILLISECONDS&status=CODE&do=segv|abort|exit|late
 *
 * A note is a line: begun PID REQUEST_ID ID 0, then logged PID REQUEST_ID ID RESULT.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_USEC 1000L
#define USEC_PER_MSEC 1000UL
#define USEC_PER_SEC  1000000UL
#define NOTE_SIZE     109

/* What start() makes. */
struct ledger {
        int fd;
};

struct doing {
        const char *name;
        int (*act)(appsrv_req *req);
};

static void sleep_usec(unsigned long usec)
{
        struct timespec left = {.tv_sec = (time_t)(usec / USEC_PER_SEC),
                                .tv_nsec = (long)(usec % USEC_PER_SEC) * NSEC_PER_USEC};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static unsigned long number(appsrv_req *req, const char *name, unsigned long otherwise)
{
        const char *text = appsrv_arg(req, name, NULL);

        return text ? strtoul(text, NULL, 10) : otherwise;
}

static const char *work_id(appsrv_req *req)
{
        const char *id = appsrv_arg(req, "id", NULL);

        return id ? id : "-";
}

/* All notes have the same size: a torn one would be seen. */
static int note(const struct ledger *ledger, appsrv_req *req, const char *what, int result)
{
        char line[NOTE_SIZE + 1];
        int n = snprintf(line, sizeof(line), "%-6s %10ld %-33s %-40s %15d\n", what, (long)getpid(),
                         appsrv_info(req, "id"), work_id(req), result);

        if (n != NOTE_SIZE)
                return -EINVAL;
        return write(ledger->fd, line, (size_t)n) == n ? 0 : -EIO;
}

static int log_work(appsrv_req *req)
{
        const appsrv_field fields[] = {{"MESSAGE", "work", APPSRV_STRING},
                                       {"WORK_ID", work_id(req), APPSRV_STRING}};

        return appsrv_logv(appsrv_ctx_of(req), req, APPSRV_INFO, fields, 2);
}

/* By the signal itself: no compiler can make anything else of it. */
static int do_segv(appsrv_req *req)
{
        (void)req;
        return -raise(SIGSEGV);
}

static int do_abort(appsrv_req *req)
{
        (void)req;
        abort();
}

static int do_exit(appsrv_req *req)
{
        (void)req;
        _exit(3);
}

static void *die_late(void *data)
{
        sleep_usec((unsigned long)data);
        (void)kill(getpid(), SIGKILL);
        return NULL;
}

/* Answers as any other, and dies about when the answer leaves: between the last byte and what is
 * noted of it, too. */
static int do_late(appsrv_req *req)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, die_late, (void *)number(req, "us", 0));

        return r == 0 ? -pthread_detach(thread) : -r;
}

static int act(appsrv_req *req)
{
        static const struct doing doings[] = {
                {"segv", do_segv}, {"abort", do_abort}, {"exit", do_exit}, {"late", do_late}};
        const char *name = appsrv_arg(req, "do", NULL);

        for (size_t i = 0; name && i < sizeof(doings) / sizeof(doings[0]); i++) {
                if (strcmp(name, doings[i].name) == 0)
                        return doings[i].act(req);
        }
        return 0;
}

static int handle(appsrv_req *req, void *self)
{
        const struct ledger *ledger = self;
        int r = note(ledger, req, "begun", 0);

        if (r < 0)
                return r;
        sleep_usec(number(req, "ms", 0) * USEC_PER_MSEC);
        r = note(ledger, req, "logged", log_work(req));
        if (r == 0)
                r = act(req);
        return r < 0 ? r
                     : appsrv_send(req, (int)number(req, "status", 200), "text/plain", "ok\n", 3);
}

static int start(appsrv_ctx *ctx, void **self)
{
        const char *folder = getenv("STATE_DIRECTORY");
        struct ledger *ledger;
        char path[4096];

        (void)ctx;
        if (!folder)
                return -ENOENT;
        (void)snprintf(path, sizeof(path), "%s/ledger", folder);
        ledger = calloc(1, sizeof(*ledger));
        if (!ledger)
                return -ENOMEM;
        ledger->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (ledger->fd < 0) {
                free(ledger);
                return -errno;
        }
        *self = ledger;
        return 0;
}

static void stop(appsrv_ctx *ctx, void *self)
{
        struct ledger *ledger = self;

        (void)ctx;
        (void)close(ledger->fd);
        free(ledger);
}

APPSRV_APP(.name = "ledger", .version = "1", .flags = APPSRV_F_CONCURRENT, .start = start,
           .handle = handle, .stop = stop);
