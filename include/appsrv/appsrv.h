/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appsrv.h - the C interface between appsrv and the applications that it hosts.
 *
 *   #include <appsrv/appsrv.h>
 *
 *   static int hello(appsrv_req *req, void *self)
 *   {
 *           (void)self;
 *           return appsrv_send(req, 200, "text/plain", "hello\n", 6);
 *   }
 *
 *   APPSRV_APP(.name = "hello", .handle = hello);
 *
 * is an application; build and start it with
 *
 *   cc -shared -fPIC $(pkg-config --cflags appsrv) -o hello.so hello.c
 *   appsrv serve ./hello.so
 *
 * Nothing is linked: the server that loads the application has the functions.
 *
 * Rules that hold for every function:
 *  1. Objects are opaque. Only appsrv_app, appsrv_field and appsrv_place are structures, and
 *     appsrv_app begins with its own size, so that it can grow.
 *  2. An int result is 0 (or more, where it says so) for success and a negative errno value for
 *     failure; errno itself means nothing. On failure nothing has changed.
 *  3. What is passed in is copied. What is returned belongs to the server and lives as long as the
 *     object it was asked of: a request's until handle() returns, a context's until stop()
 * returned. Returned strings end with a NUL that is not part of the length in *len; len may be
 * NULL.
 *  4. Functions with a request are called by the thread that runs its handle(), until that returns.
 *     Functions with a context, and the log, may be called by any thread.
 *  5. Nothing blocks, but the log for as long as the configuration allows ([log] overflow), and
 *     appsrv_read() and appsrv_write(), which wait for the client.
 *  6. Sizes are bytes. No pointer is NULL unless it says so.
 *  7. No callback may longjmp or throw through the server.
 *  8. SIGTERM, SIGINT, SIGHUP and SIGQUIT are the server's. A thread whose request takes longer
 *     than [http] request_timeout, or is in an application that hangs as a whole, is sent SIGURG:
 *     who has no handler for it does not notice, one that has can tell where the thread is
 *     (appsrv_stack_fd()).
 *
 * C99 and C++11 or later.
 */
#ifndef APPSRV_H
#define APPSRV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows only when an application that was built for the number before would break. */
#define APPSRV_ABI 1

#if defined(__GNUC__)
#define APPSRV_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define APPSRV_EXPORT                      __attribute__((visibility("default")))
#else
#define APPSRV_PRINTF(format_at, first_at)
#define APPSRV_EXPORT
#endif

typedef struct appsrv_ctx appsrv_ctx; /* the application in one process */
typedef struct appsrv_req appsrv_req; /* one request */

/* ---- the application ------------------------------------------------------------------------ */

/*
 * appsrv_app.flags: handle() may run in several threads at once. Without it, one call ends before
 * the next begins, in each process.
 */
#define APPSRV_F_CONCURRENT UINT64_C(1)

/*
 * appsrv_app.flags: handle() begins when the head of a request is there and reads the body by
 * appsrv_read() while it arrives, at the client's pace and at its own. Without it the body is
 * gathered before. A client that waits for a word to send it (Expect: 100-continue) gets that by
 * the first appsrv_read(). A handle() that waits for a slow client keeps others from it, so this
 * goes with APPSRV_F_CONCURRENT. When half of the threads, or the only one, have bodies that have
 * not arrived, those of further requests are gathered: appsrv_info(req, "body") tells which it is.
 */
#define APPSRV_F_STREAM_BODY UINT64_C(2)

/* When appsrv_app.fork() is called. */
#define APPSRV_FORK_PREPARE 0 /* in the template process, before a worker is forked */
#define APPSRV_FORK_PARENT  1 /* in the template process, afterwards, also when it failed */
#define APPSRV_FORK_CHILD   2 /* in the worker, before anything else of the application */

/*
 * appsrv_app.flags: the same for requests alone whose clients wait for a word to send the body
 * (Expect: 100-continue) and say how long it is, so that one which is not wanted is not sent;
 * bodies of other requests are gathered, and so are these when half of the threads are busy with
 * such. appsrv_info(req, "body") tells which it is.
 */
#define APPSRV_F_ASK_BODY UINT64_C(4)

typedef struct appsrv_app {
        uint32_t size;       /* sizeof(appsrv_app) that the application was built with */
        uint32_t abi;        /* APPSRV_ABI that it was built with */
        const char *name;    /* for messages; may be NULL */
        const char *version; /* for messages; may be NULL */
        uint64_t flags;      /* APPSRV_F_*; an unknown one is refused */

        /*
         * The keys of its [app NAME] section that the application reads, NULL-terminated: another
         * key there is refused when the configuration is checked. NULL: it reads none.
         */
        const char *const *settings;

        /*
         * Once in each process, before the first request; may block and take its time, the service
         * is ready when all returned. *self, at first NULL, is handed to the other two; the server
         * never looks at it. 0, or a negative errno value: the process cannot serve. May be NULL.
         */
        int (*start)(appsrv_ctx *ctx, void **self);

        /*
         * Answer one request by appsrv_send(). May block. 0, or a negative errno value: the client
         * gets a 500 whatever was sent, and the failure is recorded; not with -ECANCELED, which
         * says that the application has recorded it. Not NULL.
         */
        int (*handle)(appsrv_req *req, void *self);

        /*
         * Undo start(): no request is in handle() and none comes any more. Not called when the
         * process dies. May be NULL.
         */
        void (*stop)(appsrv_ctx *ctx, void *self);

        /*
         * With [server] preload = yes: start() is called once in a template process, which serves
         * nobody, and workers are forked from it with all that it has made; this is called around
         * each fork, APPSRV_FORK_* says where. By the thread that called start(), the only one that
         * is there in the worker: others that start() began are the template's alone, and a
         * connection that it opened would be used by all. 0, or a negative errno value: there is no
         * fork now, or the worker cannot serve. stop() is called in workers only. NULL: start() is
         * called in each worker, whatever preload says.
         */
        int (*fork)(appsrv_ctx *ctx, void *self, int when);

        /*
         * Whether the application hangs as a whole: 1 when a lock that all of its threads need has
         * not been given back since the call before, as that of a language's runtime; else 0. While
         * requests are in handle() the server asks ten times in [server] watchdog. As soon as the
         * answer was 1 for all of that time, these requests get a 504 and the worker is replaced;
         * not while one of them has what it asked for by appsrv_extend(). Called by one thread at a
         * time, beside handle(); must neither block nor wait for that lock, so a thread of the
         * application's own has to try it, which it begins at the first call. NULL: it never does.
         */
        int (*stalls)(appsrv_ctx *ctx, void *self);

        /*
         * Later versions add members here. An application that was built for fewer is served as if
         * they were 0; one that sets a member this server does not know is refused.
         */
} appsrv_app;

/*
 * The one symbol that an application defines: by APPSRV_APP(), or, in a language without designated
 * initialisers, by hand. Called once, before start(). host_abi is the server's APPSRV_ABI.
 * Returns the description, which stays valid and unchanged; NULL when the server is too old.
 */
APPSRV_EXPORT const appsrv_app *appsrv_app_main(uint32_t host_abi);

/* Define appsrv_app_main(); the arguments are designated initialisers of appsrv_app. C only. */
#define APPSRV_APP(...)                                                                            \
        static const appsrv_app appsrv_app_description;                                            \
        const appsrv_app *appsrv_app_main(uint32_t host_abi)                                       \
        {                                                                                          \
                return host_abi >= APPSRV_ABI ? &appsrv_app_description : NULL;                    \
        }                                                                                          \
        static const appsrv_app appsrv_app_description = {                                         \
                .size = sizeof(appsrv_app), .abi = APPSRV_ABI, __VA_ARGS__}

/* ---- the process ---------------------------------------------------------------------------- */

/** appsrv_version() - version of the running server, "1.4.2"; lives for ever. Any thread. */
APPSRV_EXPORT const char *appsrv_version(void);

/**
 * appsrv_has() - whether the running server has a feature. Any thread.
 * @feature: "concurrent" (APPSRV_F_CONCURRENT), "log-fields" (appsrv_logv()), "stream"
 * (appsrv_begin(), appsrv_write()), "stream-body" (APPSRV_F_STREAM_BODY, appsrv_read()),
 * "ask-body" (APPSRV_F_ASK_BODY),
 * "send-file" (appsrv_send_file()), "plug-in" (appsrv_refuse(), appsrv_workers(),
 * appsrv_threads(), appsrv_print(), appsrv_may_log(), appsrv_left_out(), REQUEST_ID for
 * appsrv_logv(), -ECANCELED of handle()), "deadline" (appsrv_time_left(), appsrv_extend(),
 * appsrv_stack_fd()), "preload" (appsrv_app.fork), "client" (appsrv_client()),
 * "stalls" (appsrv_app.stalls); later versions know more
 *
 * Return: 1 when it has, 0 when it has not or never heard of it.
 */
APPSRV_EXPORT int appsrv_has(const char *feature);

/** appsrv_worker_id() - number of the worker's place, stable over its successors. Any thread. */
APPSRV_EXPORT int appsrv_worker_id(const appsrv_ctx *ctx);

/** appsrv_workers() - how many workers the service has; appsrv_threads() - how many threads each of
 * them has for handle(). Any thread. */
APPSRV_EXPORT int appsrv_workers(const appsrv_ctx *ctx);
APPSRV_EXPORT int appsrv_threads(const appsrv_ctx *ctx);

/**
 * appsrv_stack_fd() - where a handler of SIGURG, set before start() returned, may write where the
 * thread is, as the runtime of its language sees it
 *
 * What it writes is RUNTIME_STACK of the events request-timeout and app-hung. Return: a descriptor,
 * which is the server's; negative where nobody reads it. Any thread.
 */
APPSRV_EXPORT int appsrv_stack_fd(const appsrv_ctx *ctx);

/**
 * appsrv_refuse() - in start(), before it returns a failure: say why, for the administrator
 * @why: text; what is beyond 500 bytes is cut
 */
APPSRV_EXPORT void appsrv_refuse(appsrv_ctx *ctx, const char *why);

/**
 * appsrv_config() - value of a key of the application's [app NAME] section; NULL when not set. Any
 * thread.
 */
APPSRV_EXPORT const char *appsrv_config(const appsrv_ctx *ctx, const char *key);

/** appsrv_ctx_of() - the context of the application that a request is for. */
APPSRV_EXPORT appsrv_ctx *appsrv_ctx_of(appsrv_req *req);

/* ---- the request ---------------------------------------------------------------------------- */

/** appsrv_method() - "GET": a token of at most 32 bytes, without lower-case letters. */
APPSRV_EXPORT const char *appsrv_method(appsrv_req *req);

/**
 * appsrv_path() - the path below the mount, beginning with a slash
 *
 * Escapes are decoded and "." and ".." removed; it may hold any byte but NUL. The mount itself is
 * "/", requested with or without a slash at its end.
 */
APPSRV_EXPORT const char *appsrv_path(appsrv_req *req, size_t *len);

/** appsrv_target() - the target as the client sent it, with the query. Printable ASCII. */
APPSRV_EXPORT const char *appsrv_target(appsrv_req *req, size_t *len);

/** appsrv_query() - what follows the first '?', not decoded; "" when there is none. */
APPSRV_EXPORT const char *appsrv_query(appsrv_req *req, size_t *len);

/**
 * appsrv_prefix() - the mount without a slash at its end: "/shop"; "" for "/". What links begin
 * with.
 */
APPSRV_EXPORT const char *appsrv_prefix(appsrv_req *req, size_t *len);

/** appsrv_header() - value of the first header of a name, case ignored; NULL when there is none. */
APPSRV_EXPORT const char *appsrv_header(appsrv_req *req, const char *name, size_t *len);

/** appsrv_pair_cb - is given one name and value; another result than 0 ends the iteration. */
typedef int (*appsrv_pair_cb)(void *arg, const char *name, size_t name_len, const char *value,
                              size_t value_len);

/**
 * appsrv_headers() - call @callback with each header in order. Return: 0, or what @callback gave.
 */
APPSRV_EXPORT int appsrv_headers(appsrv_req *req, appsrv_pair_cb callback, void *arg);

/**
 * appsrv_arg() - the first argument of a name in the query ("a=1&b=2"), decoded
 *
 * A '+' is a space; a '%' that begins no escape stands for itself. The value may hold any byte, NUL
 * too. An argument without '=' is empty.
 * Return: the value; NULL when there is none, or no memory.
 */
APPSRV_EXPORT const char *appsrv_arg(appsrv_req *req, const char *name, size_t *len);

/**
 * appsrv_info() - what the server knows about a request
 * @key: "id" (X-Request-ID), "scheme" ("http" or "https"), "host" (host[:port] that was asked for,
 *       "" when unknown), "version" ("HTTP/1.1"), "peer" (address of the client without its port,
 *       or "unix"), "peer.uid" and "peer.pid" (user and process at the other end of a unix socket,
 *       decimal; else NULL), "tls.version" ("TLS1.3"; NULL when not encrypted), "tls.subject" (of
 *       the certificate that the client has proved to be its own, "CN=alice,O=Example" as in RFC
 *       4514; NULL when it showed none), "body" ("arriving" when appsrv_read() gives it as it
 *       arrives, else "gathered")
 *
 * Return: the value, NULL for another key.
 */
APPSRV_EXPORT const char *appsrv_info(appsrv_req *req, const char *key);

/** appsrv_body() - the whole body; "" when there is none, and when it is read as it arrives. May
 * hold any byte. */
APPSRV_EXPORT const void *appsrv_body(appsrv_req *req, size_t *len);

/**
 * appsrv_read() - the next bytes of the body, gathered or, with APPSRV_F_STREAM_BODY, as it arrives
 * @size: 1 or more
 *
 * Waits for the client then. What is not read is dropped when handle() returns; the response leaves
 * when the whole request has arrived. Return: bytes, 1 to @size; 0 at the end; -EPIPE when the
 * client left or was too slow; -EMSGSIZE when the body is larger than the configuration allows: the
 * client gets a 413; -EALREADY after appsrv_begin() or appsrv_write(), which drop what is left;
 * -EINVAL.
 */
APPSRV_EXPORT int64_t appsrv_read(appsrv_req *req, void *room, size_t size);

/**
 * appsrv_alloc() - zeroed memory, aligned for any type, freed with the request; NULL when there is
 * none.
 */
APPSRV_EXPORT void *appsrv_alloc(appsrv_req *req, size_t size);

/**
 * appsrv_time_left() - how long handle() may still work on a request until request_timeout
 *
 * Time in which the server waits for the client is not counted. Return: microseconds; 0 when it is
 * too late: the client has got a 504, or his response was cut; INT64_MAX without a limit.
 */
APPSRV_EXPORT int64_t appsrv_time_left(appsrv_req *req);

/**
 * appsrv_extend() - ask for more time: @usec microseconds from now on at least
 *
 * As often as necessary, up to [http] request_timeout_max in all. Never shortens the time that is
 * left. For so long the application is not taken for one that hangs as a whole, either
 * (appsrv_app.stalls). Return: 0; -ERANGE when that would be beyond it, -ETIMEDOUT when it is too
 * late, -EINVAL.
 */
APPSRV_EXPORT int appsrv_extend(appsrv_req *req, int64_t usec);

/* What appsrv_client() gives. */
#define APPSRV_CLIENT_THERE  0 /* he can have his answer */
#define APPSRV_CLIENT_CLOSED 1 /* he sends no more: most who do that have left, some still wait */
#define APPSRV_CLIENT_GONE   2 /* nobody can get the response any more */

/**
 * appsrv_client() - whether somebody still waits for the response, for work that would be in vain
 *
 * Looks at the connection at the moment of the call, which costs one system call that does not
 * wait: ask as often as once in a millisecond of work. Who closes a connection and who only says
 * that he sends no more (half-close) look the same until something is sent to him, so CLOSED is for
 * the application to judge; its response is sent all the same. GONE is certain: the connection was
 * reset or has timed out, or the client has got a 504 already. Behind a proxy he is the proxy.
 * Return: APPSRV_CLIENT_*.
 */
APPSRV_EXPORT int appsrv_client(appsrv_req *req);

/* ---- the response --------------------------------------------------------------------------- */

/**
 * appsrv_status() - the status that appsrv_send() uses when it is given 0; 200 otherwise
 * @code: 200 to 599
 *
 * Return: 0; -EINVAL out of range, -EALREADY after appsrv_send().
 */
APPSRV_EXPORT int appsrv_status(appsrv_req *req, int code);

/**
 * appsrv_set() - set a header of the response, replacing those of the same name
 * appsrv_add() - add a header beside those of the same name (Set-Cookie)
 *
 * Return: 0; -EINVAL when the name is no token, the value holds a control byte but TAB (so no CR,
 * LF), or the server sets the header itself (Connection, Keep-Alive, Transfer-Encoding,
 * Content-Length, Date, Server, Upgrade, Trailer, TE, X-Request-ID); -E2BIG beyond 64 headers or 8
 * KiB of them; -EALREADY after appsrv_send(), -ENOMEM.
 */
APPSRV_EXPORT int appsrv_set(appsrv_req *req, const char *name, const char *value);
APPSRV_EXPORT int appsrv_add(appsrv_req *req, const char *name, const char *value);

/**
 * appsrv_send() - give the whole response: it leaves for the client when handle() has returned
 * @code: 200 to 599, or 0: what appsrv_status() set, else 200
 * @type: Content-Type; NULL: as set by appsrv_set(), or none
 * @body: may be NULL when @len is 0; for HEAD the server sends its length only
 *
 * Return: 0; -EALREADY the second time; -EINVAL for a bad status, type, or a body with a status
 * that has none (204, 205, 304); -E2BIG, -ENOMEM.
 */
APPSRV_EXPORT int appsrv_send(appsrv_req *req, int code, const char *type, const void *body,
                              size_t len);

/**
 * appsrv_send_file() - appsrv_send() with bytes of a file as the body, which are not read before
 * they are sent
 * @fd:     a regular file; still the caller's
 * @offset: where the body begins
 * @len:    its size; when the file turns out to be shorter, the connection is cut
 *
 * Return: as appsrv_send(), or what dup(2) gives.
 */
APPSRV_EXPORT int appsrv_send_file(appsrv_req *req, int code, const char *type, int fd,
                                   uint64_t offset, uint64_t len);

/**
 * appsrv_begin() - give the head of a response whose body follows by appsrv_write()
 * @code, @type: as for appsrv_send()
 * @length: bytes of the body; -1 when it is not known: the client sees its end all the same. With
 *          304, which has no body, those of the 200 that the client has; 0: they are not told
 *
 * Headers cannot be set any more. Return: as appsrv_send().
 */
APPSRV_EXPORT int appsrv_begin(appsrv_req *req, int code, const char *type, int64_t length);

/**
 * appsrv_write() - give the next piece of the body; it leaves for the client at once
 *
 * Without appsrv_begin() before, the head is given with the status of appsrv_status() and no
 * length. Waits while the client is slower than the application, unless half of the threads do.
 * When handle() fails or returns before @length of appsrv_begin() is reached, the connection is
 * cut, so that the client does not take a part for the whole. Return: 0; -EPIPE when the client has
 * gone, or is too slow: nothing needs to be written any more; -EMSGSIZE for more than
 * appsrv_begin() announced; -EALREADY after appsrv_send(); what appsrv_begin() returns.
 */
APPSRV_EXPORT int appsrv_write(appsrv_req *req, const void *bytes, size_t size);

/* ---- the log: one call is one record -------------------------------------------------------- */

/* Levels, as in syslog(3). */
#define APPSRV_CRIT    2
#define APPSRV_ERR     3
#define APPSRV_WARNING 4
#define APPSRV_NOTICE  5
#define APPSRV_INFO    6
#define APPSRV_DEBUG   7

/* appsrv_field.len: the value ends at its NUL. */
#define APPSRV_STRING ((size_t)-1)

/* At most so many fields in one record. */
#define APPSRV_FIELDS_MAX 32

typedef struct appsrv_field {
        const char *name;  /* [A-Z][A-Z0-9_]*, at most 64 */
        const void *value; /* any bytes, also NUL and newlines */
        size_t len;        /* or APPSRV_STRING */
} appsrv_field;

/* A place in the application's source: CODE_FILE, CODE_FUNC and CODE_LINE of a record. */
typedef struct appsrv_place {
        const char *file;
        const char *function;
        unsigned line;
} appsrv_place;

/** appsrv_log_enabled() - whether records of a level are kept: 1 or 0. Cheap. Any thread. */
APPSRV_EXPORT int appsrv_log_enabled(const appsrv_ctx *ctx, int level);

/**
 * appsrv_logv() - write one record, given by its fields. Any thread.
 * @req:    the request that the record belongs to; may be NULL
 * @level:  APPSRV_CRIT to APPSRV_DEBUG
 * @fields: @n of them, 1 to APPSRV_FIELDS_MAX, one of them MESSAGE; a name may come more than once
 *
 * The record arrives whole or not at all. The server adds APP, REQUEST_ID (of @req), THREAD and
 * what tells the worker. Of the names that it or the journal owns, these are the application's to
 * set: MESSAGE, MESSAGE_ID (32 hexadecimal digits), CODE_FILE, CODE_FUNC, CODE_LINE, LOGGER,
 * EXCEPTION, and without @req REQUEST_ID, for threads of its own. A process may use 32 different
 * names of its own; fields with further names are put into one field EXTRA, a JSON object:
 * {"NAME":"value",...}, where a byte that is no UTF-8 is written as \u00NN.
 *
 * Return: 0, also when the level is not kept; -ENOBUFS when the record was dropped and counted,
 * -EMSGSIZE (also counted) beyond 1 MiB or a quarter of the log's buffer, all fields together;
 * -EINVAL for a bad level, name, MESSAGE_ID or no MESSAGE; -E2BIG for too many fields, -ENOMEM.
 */
APPSRV_EXPORT int appsrv_logv(appsrv_ctx *ctx, appsrv_req *req, int level,
                              const appsrv_field *fields, size_t n);

/** appsrv_may_log() - whether a field of this name is the application's to set: 1 or 0. Any
 * thread. */
APPSRV_EXPORT int appsrv_may_log(const char *name);

/**
 * appsrv_print() - write one record of what the application prints, as the server does with what
 * comes out of standard output and error (RECORD=output). Any thread.
 * @req:    the request that it was printed for; may be NULL
 * @stream: 1: standard output, 2: standard error
 * @text:   without the newline at its end; any bytes
 *
 * Return: as appsrv_logv(); -EINVAL for another stream.
 */
APPSRV_EXPORT int appsrv_print(appsrv_ctx *ctx, appsrv_req *req, int stream, const char *text,
                               size_t len);

/**
 * appsrv_left_out() - tell the administrator that a header is not handed on, because its name has
 * an underscore; only the first one of each application and process leaves a record
 * @name: need not end with a NUL; what is beyond 100 bytes is cut
 */
APPSRV_EXPORT void appsrv_left_out(appsrv_req *req, const char *name, size_t len);

/** appsrv_log() - write one record with a formatted MESSAGE. As appsrv_logv(). */
APPSRV_EXPORT int appsrv_log(appsrv_ctx *ctx, appsrv_req *req, int level, const char *format, ...)
        APPSRV_PRINTF(4, 5);

/** appsrv_log_at() - the same with the place in the source. As appsrv_logv(). */
APPSRV_EXPORT int appsrv_log_at(const appsrv_place *place, appsrv_ctx *ctx, appsrv_req *req,
                                int level, const char *format, ...) APPSRV_PRINTF(5, 6);

/*
 * APPSRV_LOG() - in handle(): one record about the request, with the place in the source
 * APPSRV_LOG_CTX() - elsewhere: one record about the application
 *
 * As statements: APPSRV_LOG(req, APPSRV_INFO, "user %s logged in", name); the arguments are
 * evaluated only when the level is kept.
 */
#define APPSRV_LOG(req, level, ...)                                                                \
        APPSRV_LOG_RECORD_(appsrv_ctx_of(req), (req), (level), __VA_ARGS__)
#define APPSRV_LOG_CTX(ctx, level, ...) APPSRV_LOG_RECORD_((ctx), NULL, (level), __VA_ARGS__)

#define APPSRV_LOG_RECORD_(ctx, req, level, ...)                                                   \
        do {                                                                                       \
                if (appsrv_log_enabled(ctx, level)) {                                              \
                        const appsrv_place appsrv_here = {__FILE__, __func__, __LINE__};           \
                        (void)appsrv_log_at(&appsrv_here, ctx, req, level, __VA_ARGS__);           \
                }                                                                                  \
        } while (0)

#ifdef __cplusplus
}
#endif
#endif /* APPSRV_H */
