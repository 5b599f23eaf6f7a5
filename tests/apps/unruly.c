/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application that does to its master what it can: dies after it was ready, floods the notify
 * socket, and tells what it finds in its environment. */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MSEC_PER_SEC  1000
#define NSEC_PER_MSEC 1000000

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

static void *die(void *data)
{
        sleep_ms((unsigned long)data);
        _exit(3);
}

/* The master's queue is always full. */
static void *flood(void *data)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void)data;
        if (fd < 0 || !path)
                return NULL;
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        while (sendto(fd, "X=1", 3, 0, (const struct sockaddr *)&address, sizeof(address)) > 0 ||
               errno == EAGAIN)
                ;
        (void)close(fd);
        return NULL;
}

static int begin(void *(*run)(void *), unsigned long argument)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, run, (void *)argument);

        return r == 0 ? -pthread_detach(thread) : -r;
}

static int start(appsrv_ctx *ctx, void **self)
{
        unsigned long die_after_ms = number(ctx, "die_after_ms");
        int r = 0;

        (void)self;
        if (die_after_ms > 0 && appsrv_worker_id(ctx) == 1)
                return begin(die, die_after_ms);
        sleep_ms(number(ctx, "others_delay_ms"));
        for (unsigned long i = number(ctx, "floods"); r == 0 && i > 0; i--)
                r = begin(flood, 0);
        return r;
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

static const char *const settings[] = {"die_after_ms", "others_delay_ms", "floods", NULL};

APPSRV_APP(.name = "unruly", .version = "1", .flags = APPSRV_F_CONCURRENT, .settings = settings,
           .start = start, .handle = handle);
