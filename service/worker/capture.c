/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads both pipes, and commits a block once it is complete or nothing followed for a while. */
#include "worker/capture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* So long a block may be open for an indented line that goes on with it, and a line for its end. */
#define SILENCE_USEC (200 * USEC_PER_MSEC)

/* Reads until the other stream has its turn. */
#define READS_PER_TURN 16

/* What a child of the application goes on printing must not keep the worker from its end. */
#define LAST_TURNS 64

struct captured {
        int fd;         /* -1: at its end, all writers have closed it */
        uint64_t heard; /* CLOCK_MONOTONIC of the last bytes */
};

struct capture {
        pthread_t thread;
        struct output output;
        struct captured streams[OUTPUT_STREAMS];
        int stop;
};

/* Return: whether there was anything. */
static bool read_stream(struct capture *capture, unsigned number, uint64_t now)
{
        struct captured *stream = &capture->streams[number];
        ssize_t n = stream->fd < 0 ? 0 : 1;
        bool any = false;

        for (unsigned reads = 0; n > 0 && reads < READS_PER_TURN; reads++) {
                n = output_read(&capture->output, number, stream->fd);
                (void)output_commit(&capture->output, number, n == 0, true);
                any |= n > 0;
        }
        if (n == 0)
                stream->fd = -1;
        if (any)
                stream->heard = now;
        else if (now >= stream->heard + SILENCE_USEC)
                (void)output_commit(&capture->output, number, true, true);
        return any;
}

static bool read_streams(struct capture *capture)
{
        uint64_t now = now_usec();
        bool any = false;

        for (unsigned i = 0; i < OUTPUT_STREAMS; i++)
                any |= read_stream(capture, i, now);
        return any;
}

/* Milliseconds for poll(2). */
static int patience(const struct capture *capture)
{
        for (unsigned i = 0; i < OUTPUT_STREAMS; i++)
                if (output_waiting(&capture->output, i))
                        return (int)(SILENCE_USEC / USEC_PER_MSEC) + 1;
        return -1;
}

static void *run(void *data)
{
        struct capture *capture = data;
        bool stop = false;

        while (!stop) {
                struct pollfd fds[] = {
                        {.fd = capture->streams[OUTPUT_STDOUT].fd, .events = POLLIN},
                        {.fd = capture->streams[OUTPUT_STDERR].fd, .events = POLLIN},
                        {.fd = capture->stop, .events = POLLIN},
                };

                (void)poll(fds, sizeof(fds) / sizeof(fds[0]), patience(capture));
                stop = fds[OUTPUT_STREAMS].revents & POLLIN;
                (void)read_streams(capture);
        }
        for (unsigned turns = 0; turns < LAST_TURNS && read_streams(capture); turns++)
                ;
        for (unsigned i = 0; i < OUTPUT_STREAMS; i++)
                (void)output_commit(&capture->output, i, true, true);
        return NULL;
}

int capture_start(struct capture **ret, const struct output *output,
                  const int streams[static OUTPUT_STREAMS])
{
        _cleanup_free_ struct capture *capture = calloc(1, sizeof(*capture));
        _cleanup_close_ int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r;

        if (!capture)
                return -ENOMEM;
        if (stop < 0)
                return -errno;
        capture->output = *output;
        for (size_t i = 0; i < OUTPUT_STREAMS; i++)
                capture->streams[i].fd = streams[i];
        capture->stop = stop;
        r = pthread_create(&capture->thread, NULL, run, capture);
        if (r != 0)
                return -r;
        (void)TAKE_FD(stop);
        *ret = TAKE_PTR(capture);
        return 0;
}

void capture_abandon(struct capture *capture)
{
        if (!capture)
                return;
        for (size_t i = 0; i < OUTPUT_STREAMS; i++)
                close_descriptor(&capture->streams[i].fd);
        (void)close(capture->stop);
        free(capture);
}

void capture_stop(struct capture *capture)
{
        if (!capture)
                return;
        (void)eventfd_write(capture->stop, 1);
        (void)pthread_join(capture->thread, NULL);
        (void)close(capture->stop);
        free(capture);
}
