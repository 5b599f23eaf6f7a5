/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application that does to its master what it can: dies after it was ready, floods the notify
 * socket, and tells what it finds in its environment. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MSEC_PER_SEC  1000
#define NSEC_PER_MSEC 1000000
#define FLOODERS_MAX  8

static void sleep_ms(unsigned long ms)
{
        struct timespec left = {.tv_sec = (time_t)(ms / MSEC_PER_SEC),
                                .tv_nsec = (long)(ms % MSEC_PER_SEC) * NSEC_PER_MSEC};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static unsigned long number(appsrv_ctx *ctx, const char *key)
{
        const char *text = appsrv_config(ctx, key);

        return text ? strtoul(text, NULL, 10) : 0;
}

/* What start() makes. */
struct unruly {
        atomic_bool stopping;
        pthread_t flooders[FLOODERS_MAX];
        size_t n_flooders;
};

static void *die(void *data)
{
        sleep_ms((unsigned long)data);
        _exit(3);
}

/* The master's queue is always full. */
static void *flood(void *data)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct unruly *unruly = data;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || !path)
                return NULL;
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        while (!unruly->stopping)
                (void)sendto(fd, "X=1", 3, 0, (const struct sockaddr *)&address, sizeof(address));
        (void)close(fd);
        return NULL;
}

static int start_dying(unsigned long after_ms)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, die, (void *)after_ms);

        return r == 0 ? -pthread_detach(thread) : -r;
}

static int start(appsrv_ctx *ctx, void **self)
{
        unsigned long die_after_ms = number(ctx, "die_after_ms");
        unsigned long floods = number(ctx, "floods");
        const char *refusal = appsrv_config(ctx, "refusal");
        struct unruly *unruly;
        int r = 0;

        if (refusal) {
                appsrv_refuse(ctx, refusal);
                return -EIO;
        }
        if (die_after_ms > 0 && appsrv_worker_id(ctx) == 1)
                return start_dying(die_after_ms);
        sleep_ms(number(ctx, "others_delay_ms"));
        unruly = calloc(1, sizeof(*unruly));
        if (!unruly)
                return -ENOMEM;
        *self = unruly;
        while (r == 0 && unruly->n_flooders < floods && unruly->n_flooders < FLOODERS_MAX)
                r = -pthread_create(&unruly->flooders[unruly->n_flooders++], NULL, flood, unruly);
        return r;
}

static void stop(appsrv_ctx *ctx, void *self)
{
        struct unruly *unruly = self;

        sleep_ms(number(ctx, "stop_delay_ms"));
        if (!unruly)
                return;
        unruly->stopping = true;
        while (unruly->n_flooders > 0)
                (void)pthread_join(unruly->flooders[--unruly->n_flooders], NULL);
        free(unruly);
}

/* /exit ends the worker as if all was well; else: the variables of sd_notify(3), sd_listen_fds(3)
 * and sd_watchdog_enabled(3), one a line. */
static int handle(appsrv_req *req, void *self)
{
        static const char *const names[] = {"NOTIFY_SOCKET",  "LISTEN_PID",   "LISTEN_FDS",
                                            "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};
        char text[512];
        size_t size = 0;

        (void)self;
        if (strcmp(appsrv_path(req, NULL), "/exit") == 0)
                _exit(0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const char *value = getenv(names[i]);

                if (value)
                        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s=%.100s\n",
                                                 names[i], value);
        }
        return appsrv_send(req, 200, "text/plain", text, size);
}

static const char *const settings[] = {"die_after_ms",  "others_delay_ms", "floods",
                                       "stop_delay_ms", "refusal",         NULL};

APPSRV_APP(.name = "unruly", .version = "1", .flags = APPSRV_F_CONCURRENT, .settings = settings,
           .start = start, .handle = handle, .stop = stop);
