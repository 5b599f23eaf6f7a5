/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The environ of a request (PEP 3333).
 *
 * Strings are "bytes as latin-1". A header whose name has an underscore is left out: "X_A" and
 * "X-A" would be one variable, and a proxy that filters the one lets the other pass. So is Proxy
 * (CVE-2016-5385). Of Transfer-Encoding nothing is left when the body arrives here: its length
 * stands in CONTENT_LENGTH (RFC 3875, 4.1.2).
 */
#include "wsgi/environ.h"

#include <stdbool.h>
#include <string.h>

#include "wsgi/file_wrapper.h"

#define KEYS                                                                                       \
        KEY(CONTENT_LENGTH)                                                                        \
        KEY(CONTENT_TYPE)                                                                          \
        KEY(HTTPS)                                                                                 \
        KEY(HTTP_COOKIE)                                                                           \
        KEY(PATH_INFO)                                                                             \
        KEY(QUERY_STRING)                                                                          \
        KEY(RAW_URI)                                                                               \
        KEY(REMOTE_ADDR)                                                                           \
        KEY(REQUEST_METHOD)                                                                        \
        KEY(REQUEST_URI)                                                                           \
        KEY(SCRIPT_NAME)                                                                           \
        KEY(SERVER_NAME)                                                                           \
        KEY(SERVER_PORT)                                                                           \
        KEY(SERVER_PROTOCOL)

/* What the keys begin with is no identifier. */
#define DOTTED_KEYS                                                                                \
        KEY(input, "wsgi.input")                                                                   \
        KEY(request_id, "appsrv.request_id")                                                       \
        KEY(url_scheme, "wsgi.url_scheme")

enum key {
#define KEY(name, ...) KEY_##name,
        KEYS DOTTED_KEYS
#undef KEY
                N_KEYS
};

/* Those that clients send; of others the key is made anew each time. */
static const char *const usual_headers[] = {
        "Accept",
        "Accept-Charset",
        "Accept-Encoding",
        "Accept-Language",
        "Authorization",
        "Cache-Control",
        "Connection",
        "Cookie",
        "Content-Encoding",
        "DNT",
        "Expect",
        "Forwarded",
        "From",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Keep-Alive",
        "Origin",
        "Pragma",
        "Priority",
        "Range",
        "Referer",
        "Sec-CH-UA",
        "Sec-CH-UA-Mobile",
        "Sec-CH-UA-Platform",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "Sec-Fetch-User",
        "TE",
        "Traceparent",
        "Tracestate",
        "Upgrade-Insecure-Requests",
        "User-Agent",
        "Via",
        "X-CSRFToken",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "X-Request-ID",
        "X-Requested-With",
};

#define N_USUAL (sizeof(usual_headers) / sizeof(usual_headers[0]))

/* A power of two, some times as many as there are names. */
#define BUCKETS 256U

struct usual {
        const char *name;
        PyObject *key;
};

static struct usual usual[BUCKETS];
static PyObject *keys[N_KEYS];
static PyObject *http, *https, *on;

/* -- keys -- */

static unsigned char lower(unsigned char byte)
{
        return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* FNV-1a. */
static unsigned bucket_of(const char *name, size_t size)
{
        uint32_t hash = 2166136261U;

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ lower((unsigned char)name[i])) * 16777619U;
        return hash % BUCKETS;
}

/* "User-Agent": "HTTP_USER_AGENT". */
static PyObject *make_key(const char *name, size_t size)
{
        static const char prefix[] = "HTTP_";
        PyObject *key = PyUnicode_New((Py_ssize_t)(size + sizeof(prefix) - 1), 127);
        Py_UCS1 *text;

        if (!key)
                return NULL;
        text = PyUnicode_1BYTE_DATA(key);
        memcpy(text, prefix, sizeof(prefix) - 1);
        text += sizeof(prefix) - 1;
        for (size_t i = 0; i < size; i++) {
                unsigned char byte = (unsigned char)name[i];

                if (byte >= 'a' && byte <= 'z')
                        byte &= (unsigned char)~0x20;
                text[i] = byte == '-' ? '_' : byte;
        }
        return key;
}

static struct usual *find_usual(const char *name, size_t size)
{
        struct usual *entry = &usual[bucket_of(name, size)];

        while (entry->name &&
               (strlen(entry->name) != size || strncasecmp(entry->name, name, size) != 0))
                entry = entry + 1 < usual + BUCKETS ? entry + 1 : usual;
        return entry;
}

/* The name is a token: ASCII. */
static PyObject *key_of(const char *name, size_t size)
{
        const struct usual *entry = find_usual(name, size);

        return entry->name ? Py_NewRef(entry->key) : make_key(name, size);
}

static int make_usual(void)
{
        for (size_t i = 0; i < N_USUAL; i++) {
                const char *name = usual_headers[i];
                PyObject *key = make_key(name, strlen(name));

                if (!key)
                        return -1;
                PyUnicode_InternInPlace(&key);
                *find_usual(name, strlen(name)) = (struct usual){name, key};
        }
        return 0;
}

int environ_init(void)
{
        static const char *const names[] = {
#define KEY(name) #name,
                KEYS
#undef KEY
#define KEY(name, text) text,
                        DOTTED_KEYS
#undef KEY
        };

        for (size_t i = 0; i < N_KEYS; i++) {
                keys[i] = PyUnicode_InternFromString(names[i]);
                if (!keys[i])
                        return -1;
        }
        http = PyUnicode_InternFromString("http");
        https = PyUnicode_InternFromString("https");
        on = PyUnicode_InternFromString("on");
        return http && https && on ? make_usual() : -1;
}

/* -- the template -- */

static PyObject *standard_error(void)
{
        PyObject *stream = PySys_GetObject("stderr"); /* borrowed */

        return Py_NewRef(stream ? stream : Py_None);
}

PyObject *environ_template(const appsrv_ctx *ctx)
{
        _cleanup_object_ PyObject *software = PyUnicode_FromFormat("appsrv/%s", appsrv_version());

        if (!software)
                return NULL;
        return Py_BuildValue("{s:(ii),s:N,s:O,s:O,s:O,s:O,s:O,s:O}", "wsgi.version", 1, 0,
                             "wsgi.errors", standard_error(), "wsgi.multithread",
                             appsrv_threads(ctx) > 1 ? Py_True : Py_False, "wsgi.multiprocess",
                             appsrv_workers(ctx) > 1 ? Py_True : Py_False, "wsgi.run_once",
                             Py_False, "wsgi.file_wrapper", (PyObject *)&file_wrapper_type,
                             "wsgi.input_terminated", Py_True, "SERVER_SOFTWARE", software);
}

/* -- one request -- */

/* What the callback of the headers needs. */
struct headers {
        appsrv_req *req;
        PyObject *variables;
        bool chunked;
};

static int put(PyObject *variables, enum key key, PyObject *value)
{
        int r;

        if (!value)
                return -1;
        r = PyDict_SetItem(variables, keys[key], value);
        Py_DECREF(value);
        return r;
}

static int put_text(PyObject *variables, enum key key, const char *text, size_t size)
{
        return put(variables, key, PyUnicode_DecodeLatin1(text, (Py_ssize_t)size, NULL));
}

/* Of several with one name the values stand behind each other (RFC 9110, 5.3; RFC 6265, 5.4). */
static int join(PyObject *variables, PyObject *key, PyObject *before, PyObject *value)
{
        const char *between = key == keys[KEY_HTTP_COOKIE] ? "; " : ", ";
        _cleanup_object_ PyObject *both = PyUnicode_FromFormat("%U%s%U", before, between, value);

        return both ? PyDict_SetItem(variables, key, both) : -1;
}

static int put_header(PyObject *variables, PyObject *key, PyObject *value)
{
        PyObject *before;

        if (!key || !value)
                return -1;
        before = PyDict_GetItemWithError(variables, key); /* borrowed */
        if (before)
                return join(variables, key, before, value);
        return PyErr_Occurred() ? -1 : PyDict_SetItem(variables, key, value);
}

static bool is(const char *name, size_t size, const char *other, size_t other_size)
{
        return size == other_size && strncasecmp(name, other, size) == 0;
}

#define IS(name, size, text) is(name, size, text, sizeof(text) - 1)

static int on_header(void *data, const char *name, size_t name_size, const char *value,
                     size_t value_size)
{
        struct headers *headers = data;
        _cleanup_object_ PyObject *key = NULL;
        _cleanup_object_ PyObject *text = NULL;

        if (IS(name, name_size, "Proxy"))
                return 0;
        if (memchr(name, '_', name_size)) {
                appsrv_left_out(headers->req, name, name_size);
                return 0;
        }
        if (IS(name, name_size, "Transfer-Encoding")) {
                headers->chunked = true;
                return 0;
        }
        if (IS(name, name_size, "Content-Type"))
                key = Py_NewRef(keys[KEY_CONTENT_TYPE]);
        else if (IS(name, name_size, "Content-Length"))
                key = Py_NewRef(keys[KEY_CONTENT_LENGTH]);
        else
                key = key_of(name, name_size);
        text = PyUnicode_DecodeLatin1(value, (Py_ssize_t)value_size, NULL);
        /* Lengths that are repeated are equal, or the request would not be here. */
        if (key == keys[KEY_CONTENT_LENGTH])
                return text ? PyDict_SetItem(headers->variables, key, text) : -1;
        return put_header(headers->variables, key, text);
}

static int put_headers(PyObject *variables, appsrv_req *req)
{
        struct headers headers = {.req = req, .variables = variables};
        size_t size;

        if (appsrv_headers(req, on_header, &headers) != 0)
                return -1;
        if (!headers.chunked)
                return 0;
        (void)appsrv_body(req, &size);
        return put(variables, KEY_CONTENT_LENGTH, PyUnicode_FromFormat("%zu", size));
}

/* "/shop" was requested, not "/shop/": nothing is left for the application. */
static bool is_bare_mount(appsrv_req *req, size_t prefix_size)
{
        size_t size;
        const char *target = appsrv_target(req, &size);

        return prefix_size > 0 && size >= prefix_size &&
               (size == prefix_size || target[prefix_size] == '?') &&
               !memchr(target, '%', prefix_size);
}

static int put_target(PyObject *variables, appsrv_req *req)
{
        size_t prefix_size, path_size, query_size, target_size;
        const char *prefix = appsrv_prefix(req, &prefix_size);
        const char *path = appsrv_path(req, &path_size);
        const char *query = appsrv_query(req, &query_size);
        const char *target = appsrv_target(req, &target_size);
        PyObject *raw = PyUnicode_DecodeLatin1(target, (Py_ssize_t)target_size, NULL);

        if (path_size == 1 && is_bare_mount(req, prefix_size))
                path_size = 0;
        if (!raw || PyDict_SetItem(variables, keys[KEY_RAW_URI], raw) < 0) {
                Py_XDECREF(raw);
                return -1;
        }
        if (put(variables, KEY_REQUEST_URI, raw) < 0 ||
            put_text(variables, KEY_SCRIPT_NAME, prefix, prefix_size) < 0 ||
            put_text(variables, KEY_PATH_INFO, path, path_size) < 0)
                return -1;
        return put_text(variables, KEY_QUERY_STRING, query, query_size);
}

/* The colon of a port is not one of those in "[2001:db8::1]". */
static const char *port_of(const char *host)
{
        const char *colon = strrchr(host, ':');

        return colon && !strchr(colon, ']') ? colon : NULL;
}

/* They are never empty, even of a request without Host on a unix socket. */
static int put_server(PyObject *variables, appsrv_req *req, bool encrypted)
{
        const char *host = appsrv_info(req, "host");
        const char *colon = host ? port_of(host) : NULL;
        const char *port = colon && colon[1] ? colon + 1 : encrypted ? "443" : "80";
        size_t size = 0;

        if (host)
                size = colon ? (size_t)(colon - host) : strlen(host);
        if (size == 0) {
                host = "localhost";
                size = strlen(host);
        }
        if (put_text(variables, KEY_SERVER_NAME, host, size) < 0)
                return -1;
        return put_text(variables, KEY_SERVER_PORT, port, strlen(port));
}

static int put_scheme(PyObject *variables, bool encrypted)
{
        if (PyDict_SetItem(variables, keys[KEY_url_scheme], encrypted ? https : http) < 0)
                return -1;
        return encrypted ? PyDict_SetItem(variables, keys[KEY_HTTPS], on) : 0;
}

/* Of a unix socket there is no address, and no text is one. */
static int put_peer(PyObject *variables, appsrv_req *req)
{
        const char *peer = appsrv_info(req, "peer");

        if (!peer || strcmp(peer, "unix") == 0)
                return 0;
        return put_text(variables, KEY_REMOTE_ADDR, peer, strlen(peer));
}

static int fill(PyObject *variables, appsrv_req *req, PyObject *input, PyObject *id)
{
        const char *method = appsrv_method(req);
        const char *version = appsrv_info(req, "version");
        const char *scheme = appsrv_info(req, "scheme");
        bool encrypted = scheme && strcmp(scheme, "https") == 0;

        if (put_text(variables, KEY_REQUEST_METHOD, method, strlen(method)) < 0 ||
            put_text(variables, KEY_SERVER_PROTOCOL, version, strlen(version)) < 0 ||
            put_target(variables, req) < 0 || put_server(variables, req, encrypted) < 0 ||
            put_scheme(variables, encrypted) < 0 || put_peer(variables, req) < 0 ||
            put_headers(variables, req) < 0 ||
            PyDict_SetItem(variables, keys[KEY_input], input) < 0)
                return -1;
        return PyDict_SetItem(variables, keys[KEY_request_id], id);
}

PyObject *environ_new(PyObject *template, appsrv_req *req, PyObject *input, PyObject *id)
{
        PyObject *variables = PyDict_Copy(template);

        if (variables && fill(variables, req, input, id) < 0)
                Py_CLEAR(variables);
        return variables;
}
