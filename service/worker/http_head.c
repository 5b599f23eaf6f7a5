/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head in libmicrohttpd's read buffer. Versions 0.9.75 and 0.9.76 parse it in place: the
 * request line begins where the method does, and all that they overwrote, by NUL, is the space
 * behind the method, that before the version, the '?', the first colon of each line, CR and LF. The
 * layout is not documented, so it is tried at start-up. Loop thread.
 */
#include "worker/http_head.h"

#if MHD_VERSION < 0x01000000

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_END 2 /* CR and LF */

bool raw_head_wanted(void)
{
        const char *version = MHD_get_version();

        return strncmp(version, "0.9.75", 6) == 0 || strncmp(version, "0.9.76", 6) == 0;
}

/* -- the scan -- */

static const char *skip_text(const char *at, const char *end)
{
        while (at < end && *at != '\0')
                at++;
        return at;
}

static const char *skip_blanks(const char *at, const char *end)
{
        while (at < end && (*at == ' ' || *at == '\t'))
                at++;
        return at;
}

static bool at_line_end(const char *at, const char *end)
{
        return end - at >= LINE_END && at[0] == '\0' && at[1] == '\0';
}

/* name NUL [SP|TAB]* value NUL NUL. Return: behind it, or NULL with @flaw set. */
static const char *scan_field(const char *at, const char *end, const char **flaw)
{
        *flaw = "folded line or white space before a header";
        if (*at == ' ' || *at == '\t')
                return NULL;
        *flaw = "bare LF or NUL in a header";
        if (*at == '\0')
                return NULL;
        at = skip_text(at, end);
        if (at == end)
                return NULL;
        at = skip_text(skip_blanks(at + 1, end), end);
        return at_line_end(at, end) ? at + LINE_END : NULL;
}

static const char *scan_fields(const char *at, const char *end)
{
        const char *flaw = NULL;

        while (at < end && !at_line_end(at, end)) {
                at = scan_field(at, end, &flaw);
                if (!at)
                        return flaw;
        }
        return at + LINE_END == end ? NULL : "NUL in the head";
}

const char *raw_head_flaw(const struct raw_head *head)
{
        const char *end = head->method + head->size;
        const char *at;

        /* A NUL in method or target leaves more bytes than the text has. */
        if (head->url != head->method + strlen(head->method) + 1 ||
            head->version != head->url + head->target_size + 1 || head->version >= end)
                return "NUL in the request line";
        at = skip_text(head->version, end);
        if (!at_line_end(at, end))
                return "bare LF behind the request line";
        return scan_fields(at + LINE_END, end);
}

/* -- the test at start-up -- */

#define LINE "GET /a?b=%20c&d=1 HTTP/1.1\r\n"

struct sample {
        const char *request;
        size_t size;
        bool sound;
};

#define SOUND(text)                                                                                \
        {                                                                                          \
                text, sizeof(text) - 1, true                                                       \
        }
#define FLAWED(text)                                                                               \
        {                                                                                          \
                text, sizeof(text) - 1, false                                                      \
        }

static const struct sample samples[] = {
        SOUND(LINE "Host: h\r\nX:1\r\nY: \t 2 \r\nZ:\r\nCookie: a=b\r\n\r\n"),
        SOUND("GET / HTTP/1.0\r\n\r\n"),
        SOUND("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
        FLAWED(LINE "Host: h\nX: 1\r\n\r\n"),
        FLAWED("GET /a HTTP/1.1\nHost: h\r\n\r\n"),
        FLAWED(LINE "Host: h\r\n\n"),
        FLAWED(LINE "Host: h\r\nX: a\0b\r\n\r\n"),
        FLAWED(LINE "Host: h\r\nX: a\0\r\n\r\n"),
        FLAWED(LINE "Host: h\r\n\0X: a\r\nY: 1\r\n\r\n"),
        FLAWED(LINE "Host: h\r\n\0\r\nY: 1\r\n\r\n"),
        FLAWED(LINE "Host: h\r\nX: 1\r\n 2\r\n\r\n"),
        FLAWED("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
        FLAWED("GE\0T /a HTTP/1.1\r\nHost: h\r\n\r\n"),
};

struct trial {
        size_t target_size;
        bool called;
        const char *flaw;
};

static void *on_target(void *data, const char *target, struct MHD_Connection *mhd)
{
        struct trial *trial = data;

        (void)mhd;
        trial->target_size = strlen(target);
        return trial;
}

static size_t leave_escaped(void *data, struct MHD_Connection *mhd, char *text)
{
        (void)data;
        (void)mhd;
        return strlen(text);
}

static enum MHD_Result on_head(void *data, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **context)
{
        struct trial *trial = data;
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        const struct raw_head head = {
                .method = method,
                .url = url,
                .version = version,
                .target_size = trial->target_size,
                .size = info ? info->header_size : 0,
        };

        (void)upload;
        (void)upload_size;
        (void)context;
        trial->called = true;
        trial->flaw = raw_head_flaw(&head);
        return MHD_NO; /* ends the connection */
}

/* Return: 0, or a negative errno. */
static int try(struct MHD_Daemon *daemon, const struct sample *sample)
{
        const struct sockaddr_in nowhere = {.sin_family = AF_INET};
        _cleanup_close_ int ours = -1;
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
                return -errno;
        ours = ends[0];
        if (MHD_add_connection(daemon, ends[1], (const struct sockaddr *)&nowhere,
                               sizeof(nowhere)) != MHD_YES)
                return -ENOMEM;
        if (write(ours, sample->request, sample->size) != (ssize_t)sample->size)
                return -EIO;
        for (int i = 0; i < 4; i++)
                (void)MHD_run(daemon);
        return 0;
}

static int try_all(struct MHD_Daemon *daemon, struct trial *trial)
{
        for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
                int r;

                *trial = (struct trial){0};
                r = try(daemon, &samples[i]);
                if (r < 0)
                        return r;
                if (!trial->called || (trial->flaw == NULL) != samples[i].sound)
                        return -EPROTO;
        }
        return 0;
}

int raw_head_test(void)
{
        struct trial trial;
        struct MHD_Daemon *daemon;
        int r;

        if (!raw_head_wanted())
                return 0;
        daemon =
                MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_head,
                                 &trial, MHD_OPTION_URI_LOG_CALLBACK, on_target, &trial,
                                 MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
        if (!daemon)
                return -ENOMEM;
        r = try_all(daemon, &trial);
        MHD_stop_daemon(daemon);
        return r;
}

#endif
