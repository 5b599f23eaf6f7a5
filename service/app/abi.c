/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public functions of appsrv.h but the log's: a request's exchange behind opaque names. Each
 * runs on the application thread that has the request; those with a context run on any.
 */
#include <appsrv/appsrv.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/kind.h"
#include "base/clock.h"
#include "request/target.h"

#define STATUS_MIN 200
#define STATUS_MAX 599

static struct exchange *exchange_of(appsrv_req *req)
{
        return (struct exchange *)req;
}

static const struct app *app_of(const appsrv_ctx *ctx)
{
        return (const struct app *)ctx;
}

static const char *with_size(const char *text, size_t size, size_t *ret)
{
        if (ret)
                *ret = size;
        return text;
}

const char *appsrv_version(void)
{
        return APPSRV_VERSION;
}

int appsrv_has(const char *feature)
{
        static const char *const features[] = {"concurrent", "log-fields", "stream",  "stream-body",
                                               "ask-body",   "send-file",  "plug-in", "deadline",
                                               "preload",    "client",     "stalls"};

        for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
                if (strcmp(feature, features[i]) == 0)
                        return 1;
        }
        return 0;
}

int appsrv_worker_id(const appsrv_ctx *ctx)
{
        return (int)app_of(ctx)->host->subject.worker_id;
}

int appsrv_workers(const appsrv_ctx *ctx)
{
        return (int)app_of(ctx)->host->workers;
}

int appsrv_threads(const appsrv_ctx *ctx)
{
        return (int)app_of(ctx)->host->threads;
}

int appsrv_stack_fd(const appsrv_ctx *ctx)
{
        return app_of(ctx)->host->stack_fd;
}

void appsrv_refuse(appsrv_ctx *ctx, const char *why)
{
        struct app *app = (struct app *)ctx;

        (void)snprintf(app->refusal, sizeof(app->refusal), "%s", why);
}

const char *appsrv_config(const appsrv_ctx *ctx, const char *key)
{
        return app_config_get(app_of(ctx)->config, key);
}

appsrv_ctx *appsrv_ctx_of(appsrv_req *req)
{
        return (appsrv_ctx *)exchange_of(req)->app;
}

const char *appsrv_method(appsrv_req *req)
{
        return exchange_of(req)->request->method;
}

const char *appsrv_prefix(appsrv_req *req, size_t *len)
{
        const char *mount = exchange_of(req)->app->config->mount;

        if (strcmp(mount, "/") == 0)
                mount = "";
        return with_size(mount, strlen(mount), len);
}

const char *appsrv_path(appsrv_req *req, size_t *len)
{
        const struct request *request = exchange_of(req)->request;
        size_t prefix_size;

        (void)appsrv_prefix(req, &prefix_size);
        if (request->path_size <= prefix_size)
                return with_size("/", 1, len);
        return with_size(request->path + prefix_size, request->path_size - prefix_size, len);
}

const char *appsrv_target(appsrv_req *req, size_t *len)
{
        const struct request *request = exchange_of(req)->request;

        return with_size(request->target, request->target_size, len);
}

const char *appsrv_query(appsrv_req *req, size_t *len)
{
        const struct request *request = exchange_of(req)->request;

        return with_size(request->query, request->query_size, len);
}

const char *appsrv_header(appsrv_req *req, const char *name, size_t *len)
{
        const struct header *header = request_header(exchange_of(req)->request, name);

        return header ? with_size(header->value, header->value_size, len) : NULL;
}

int appsrv_headers(appsrv_req *req, appsrv_pair_cb callback, void *arg)
{
        const struct request *request = exchange_of(req)->request;

        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];
                int r = callback(arg, header->name, header->name_size, header->value,
                                 header->value_size);

                if (r != 0)
                        return r;
        }
        return 0;
}

const char *appsrv_arg(appsrv_req *req, const char *name, size_t *len)
{
        const struct exchange *exchange = exchange_of(req);
        size_t size;
        const char *value = query_argument(exchange->request, exchange->arena, name, &size);

        return value ? with_size(value, size, len) : NULL;
}

const char *appsrv_info(appsrv_req *req, const char *key)
{
        const struct request *request = exchange_of(req)->request;
        const struct {
                const char *key;
                const char *value;
        } known[] = {
                {"id", request->id},
                {"scheme", request->scheme},
                {"host", request->host},
                {"peer", request->peer},
                {"peer.uid", request->peer_uid[0] ? request->peer_uid : NULL},
                {"peer.pid", request->peer_pid[0] ? request->peer_pid : NULL},
                {"version", request->version},
                {"tls.version", request->tls_version},
                {"tls.subject", request->tls_subject},
                {"body", exchange_of(req)->intake ? "arriving" : "gathered"},
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                if (strcmp(key, known[i].key) == 0)
                        return known[i].value;
        }
        return NULL;
}

void *appsrv_alloc(appsrv_req *req, size_t size)
{
        return arena_alloc(exchange_of(req)->arena, size);
}

int appsrv_status(appsrv_req *req, int code)
{
        struct exchange *exchange = exchange_of(req);

        if (exchange->sent)
                return -EALREADY;
        if (code < STATUS_MIN || code > STATUS_MAX)
                return -EINVAL;
        exchange->status = code;
        return 0;
}

int appsrv_set(appsrv_req *req, const char *name, const char *value)
{
        struct exchange *exchange = exchange_of(req);

        if (exchange->sent)
                return -EALREADY;
        return response_set_header(exchange->response, exchange->arena, name, value);
}

int appsrv_add(appsrv_req *req, const char *name, const char *value)
{
        struct exchange *exchange = exchange_of(req);

        if (exchange->sent)
                return -EALREADY;
        return response_add_header(exchange->response, exchange->arena, name, value);
}

/* RFC 9110 15.3.5, 15.3.6 and 15.4.5: responses that have no content. */
static bool without_content(int status)
{
        return status == 204 || status == 205 || status == 304;
}

int exchange_set_head(struct exchange *exchange, int code, const char *type, bool content)
{
        struct response response = *exchange->response;
        int status = code != 0 ? code : exchange->status != 0 ? exchange->status : 200;
        int r;

        if (exchange->sent)
                return -EALREADY;
        if (status < STATUS_MIN || status > STATUS_MAX || (content && without_content(status)))
                return -EINVAL;
        if (type) {
                r = response_set_header(&response, exchange->arena, "Content-Type", type);
                if (r < 0)
                        return r;
        }
        response.status = status;
        *exchange->response = response;
        return 0;
}

int appsrv_send(appsrv_req *req, int code, const char *type, const void *body, size_t len)
{
        struct exchange *exchange = exchange_of(req);
        struct response before = *exchange->response;
        int r;

        r = exchange_set_head(exchange, code, type, len > 0);
        if (r < 0)
                return r;
        r = response_set_body(exchange->response, exchange->arena, len > 0 ? body : "", len);
        if (r < 0) {
                *exchange->response = before;
                return r;
        }
        exchange->sent = true;
        return 0;
}

int appsrv_send_file(appsrv_req *req, int code, const char *type, int fd, uint64_t offset,
                     uint64_t len)
{
        struct exchange *exchange = exchange_of(req);
        struct response before = *exchange->response;
        int r, own;

        r = exchange_set_head(exchange, code, type, len > 0);
        if (r < 0)
                return r;
        own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        r = own < 0 ? -errno : response_set_file(exchange->response, own, offset, len);
        if (r < 0) {
                *exchange->response = before;
                return r;
        }
        exchange->sent = true;
        return 0;
}

int64_t appsrv_time_left(appsrv_req *req)
{
        const struct exchange *exchange = exchange_of(req);
        uint64_t usec = exchange->time_left ? exchange->time_left(exchange->news_data) : USEC_NEVER;

        return usec > INT64_MAX ? INT64_MAX : (int64_t)usec;
}

int appsrv_extend(appsrv_req *req, int64_t usec)
{
        const struct exchange *exchange = exchange_of(req);

        if (usec <= 0)
                return -EINVAL;
        return exchange->extend ? exchange->extend(exchange->news_data, (uint64_t)usec) : 0;
}

int appsrv_client(appsrv_req *req)
{
        struct exchange *exchange = exchange_of(req);

        if (atomic_load(&exchange->abandoned))
                return APPSRV_CLIENT_GONE;
        return exchange->client ? exchange->client(exchange->news_data) : APPSRV_CLIENT_THERE;
}
