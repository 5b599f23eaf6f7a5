/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Variables are put together in an arena, one string each. */
#include "app/cgi_environ.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* More than one request usually has. */
#define CAPACITY 64

/* Where a program is looked for that a program calls, when the service has no PATH to inherit. */
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

/* What the server sets; an application's own may not take their place. */
static const char *const own_names[] = {
        "AUTH_TYPE",         "CONTENT_LENGTH",  "CONTENT_TYPE",    "DOCUMENT_ROOT",
        "GATEWAY_INTERFACE", "HTTPS",           "PATH_INFO",       "PATH_TRANSLATED",
        "QUERY_STRING",      "REDIRECT_STATUS", "REMOTE_ADDR",     "REMOTE_HOST",
        "REMOTE_IDENT",      "REMOTE_USER",     "REQUEST_ID",      "REQUEST_METHOD",
        "REQUEST_SCHEME",    "REQUEST_URI",     "SCRIPT_FILENAME", "SCRIPT_NAME",
        "SERVER_NAME",       "SERVER_PORT",     "SERVER_PROTOCOL", "SERVER_SOFTWARE",
        "SSL_CLIENT_S_DN",   "SSL_PROTOCOL",
};

static bool is_name(const char *name, size_t size)
{
        static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

        if (size == 0 || !strchr(first, name[0]))
                return false;
        for (size_t i = 1; i < size; i++)
                if (!strchr(first, name[i]) && (name[i] < '0' || name[i] > '9'))
                        return false;
        return true;
}

bool cgi_name_free(const char *name, size_t size)
{
        if (!is_name(name, size) || (size >= 5 && strncmp(name, "HTTP_", 5) == 0))
                return false;
        for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++)
                if (strlen(own_names[i]) == size && memcmp(own_names[i], name, size) == 0)
                        return false;
        return true;
}

/* -- one variable -- */

static bool grow(struct cgi_environ *environ)
{
        size_t capacity = environ->capacity ? 2 * environ->capacity : CAPACITY;
        char **variables;

        if (environ->n + 1 < environ->capacity)
                return true;
        variables = arena_alloc(environ->arena, capacity * sizeof(*variables));
        if (!variables)
                return false;
        if (environ->n > 0)
                memcpy(variables, environ->variables, environ->n * sizeof(*variables));
        environ->variables = variables;
        environ->capacity = capacity;
        return true;
}

/* One that is there already. */
static void put(struct cgi_environ *environ, char *variable, size_t size)
{
        environ->size += size + 1;
        if (environ->size > CGI_ENVIRON_MAX && environ->error == 0)
                environ->error = -E2BIG;
        if ((!variable || !grow(environ)) && environ->error == 0)
                environ->error = -ENOMEM;
        if (environ->error == 0)
                environ->variables[environ->n++] = variable;
}

static void add(struct cgi_environ *environ, const char *name, size_t name_size, const char *value,
                size_t value_size)
{
        size_t size = name_size + 1 + value_size;
        char *variable = size < CGI_ENVIRON_MAX ? arena_alloc(environ->arena, size + 1) : NULL;

        if (variable) {
                memcpy(variable, name, name_size);
                variable[name_size] = '=';
                memcpy(variable + name_size + 1, value, value_size);
        }
        put(environ, variable, size);
}

void cgi_environ_add(struct cgi_environ *environ, const char *name, const char *value)
{
        if (value)
                add(environ, name, strlen(name), value, strlen(value));
}

/* -- what does not change -- */

static bool has(const struct cgi_environ *environ, const char *name)
{
        size_t size = strlen(name);

        for (size_t i = 0; i < environ->n; i++)
                if (strncmp(environ->variables[i], name, size) == 0 &&
                    environ->variables[i][size] == '=')
                        return true;
        return false;
}

static void inherit(struct cgi_environ *environ, const char *names,
                    char *(*lookup)(const char *name))
{
        const char *text;
        size_t size;

        while ((size = cgi_settings_next(&names, &text)) > 0) {
                char *name = arena_copy(environ->arena, text, size);

                if (!name)
                        environ->error = -ENOMEM;
                else if (!has(environ, name))
                        cgi_environ_add(environ, name, lookup(name));
        }
}

void cgi_environ_fixed(struct cgi_environ *environ, const struct cgi_settings *settings,
                       const struct app_config *config, char *(*lookup)(const char *name))
{
        size_t prefix = strlen(CGI_ENV_PREFIX);
        const char *root = *settings->document_root ? settings->document_root : settings->root;

        cgi_environ_add(environ, "GATEWAY_INTERFACE", "CGI/1.1");
        cgi_environ_add(environ, "SERVER_SOFTWARE", "appsrv/" APPSRV_VERSION);
        /* php-cgi wants to know that a server has chosen what it runs. */
        cgi_environ_add(environ, "REDIRECT_STATUS", "200");
        cgi_environ_add(environ, "DOCUMENT_ROOT", *root ? root : NULL);
        for (size_t i = 0; i < config->n_keys; i++)
                if (strncmp(config->keys[i].name, CGI_ENV_PREFIX, prefix) == 0)
                        cgi_environ_add(environ, config->keys[i].name + prefix,
                                        config->keys[i].value);
        inherit(environ, settings->inherit, lookup);
        if (!has(environ, "PATH"))
                cgi_environ_add(environ, "PATH", USUAL_PATH);
}

/* -- the head of a request -- */

/* RFC 3875, 4.1.18: what proves who the client is is not for programs, unless they are to judge. */
static bool is_secret(const struct header *header)
{
        return header_is(header, "Authorization") || header_is(header, "Proxy-Authorization");
}

/* Those that have a variable of another name, or mean nothing behind the server. */
static bool is_left_out(const struct header *header)
{
        static const char *const names[] = {"Content-Type", "Content-Length",    "Connection",
                                            "Keep-Alive",   "Transfer-Encoding", "Proxy",
                                            "TE",           "Trailer",           "Upgrade"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (header_is(header, names[i]))
                        return true;
        return false;
}

/* It would be the variable of another header. */
static bool collides(struct cgi_environ *environ, const struct header *header)
{
        if (!memchr(header->name, '_', header->name_size))
                return false;
        if (!environ->left_out)
                environ->left_out = header;
        return true;
}

static bool same_name(const struct header *a, const struct header *b)
{
        return a->name_size == b->name_size && equal_ignoring_case(a->name, a->name_size, b->name);
}

static bool came_before(const struct request *request, size_t number)
{
        for (size_t i = 0; i < number; i++)
                if (same_name(&request->headers[i], &request->headers[number]))
                        return true;
        return false;
}

/* Bytes of all values of the name from @number on, put at @to unless that is NULL. */
static size_t join_values(const struct request *request, size_t number, char *to)
{
        const struct header *first = &request->headers[number];
        const char *between = header_is(first, "Cookie") ? "; " : ", ";
        size_t size = 0;

        for (size_t i = number; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (!same_name(header, first))
                        continue;
                if (size > 0) {
                        if (to)
                                memcpy(to + size, between, 2);
                        size += 2;
                }
                if (to)
                        memcpy(to + size, header->value, header->value_size);
                size += header->value_size;
        }
        return size;
}

/* "User-Agent": "HTTP_USER_AGENT". Of several with one name the values stand behind each other (RFC
 * 9110, 5.3; RFC 6265, 5.4). */
static void add_header(struct cgi_environ *environ, const struct request *request, size_t number)
{
        static const char prefix[] = "HTTP_";
        const struct header *header = &request->headers[number];
        size_t name_size = sizeof(prefix) - 1 + header->name_size;
        size_t size = name_size + 1 + join_values(request, number, NULL);
        char *variable = arena_alloc(environ->arena, size + 1);

        if (variable) {
                memcpy(variable, prefix, sizeof(prefix) - 1);
                for (size_t i = 0; i < header->name_size; i++) {
                        unsigned char byte = (unsigned char)header->name[i];

                        if (byte >= 'a' && byte <= 'z')
                                byte &= (unsigned char)~0x20;
                        variable[sizeof(prefix) - 1 + i] = (char)(byte == '-' ? '_' : byte);
                }
                variable[name_size] = '=';
                (void)join_values(request, number, variable + name_size + 1);
        }
        put(environ, variable, size);
}

static void add_headers(struct cgi_environ *environ, const struct cgi_settings *settings,
                        const struct request *request)
{
        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (collides(environ, header) || is_left_out(header) ||
                    (is_secret(header) && !settings->authorization) || came_before(request, i))
                        continue;
                add_header(environ, request, i);
        }
}

/* -- the rest of a request -- */

static void add_body(struct cgi_environ *environ, const struct request *request)
{
        const struct header *type = request_header(request, "Content-Type");
        char size[sizeof("18446744073709551615")];

        cgi_environ_add(environ, "CONTENT_TYPE", type ? type->value : NULL);
        (void)snprintf(size, sizeof(size), "%zu", request->body_size);
        if (request->body_size > 0 || request_header(request, "Content-Length") ||
            request_header(request, "Transfer-Encoding"))
                cgi_environ_add(environ, "CONTENT_LENGTH", size);
}

/* The colon of a port is not one of those in "[2001:db8::1]". They are never empty. */
static void add_server(struct cgi_environ *environ, const struct request *request, bool encrypted)
{
        const char *host = *request->host ? request->host : "localhost";
        const char *colon = strrchr(host, ':');
        size_t size;

        if (colon && strchr(colon, ']'))
                colon = NULL;
        size = colon ? (size_t)(colon - host) : strlen(host);
        if (size == 0) {
                host = "localhost";
                size = strlen(host);
        }
        add(environ, "SERVER_NAME", strlen("SERVER_NAME"), host, size);
        cgi_environ_add(environ, "SERVER_PORT",
                        colon && colon[1] ? colon + 1
                        : encrypted       ? "443"
                                          : "80");
}

/* Of a unix socket there is no address, and no text is one. */
static void add_client(struct cgi_environ *environ, const struct request *request)
{
        const char *peer = strcmp(request->peer, "unix") == 0 ? NULL : request->peer;

        cgi_environ_add(environ, "REMOTE_ADDR", peer);
        cgi_environ_add(environ, "REMOTE_HOST", peer);
        if (!request->tls_subject)
                return;
        cgi_environ_add(environ, "AUTH_TYPE", "ClientCertificate");
        cgi_environ_add(environ, "REMOTE_USER", request->tls_subject);
        cgi_environ_add(environ, "SSL_CLIENT_S_DN", request->tls_subject);
}

static void add_program(struct cgi_environ *environ, const struct cgi_settings *settings,
                        const struct cgi_program *program)
{
        const char *root = *settings->document_root ? settings->document_root : settings->root;
        size_t size = strlen(root);

        cgi_environ_add(environ, "SCRIPT_FILENAME", program->file);
        cgi_environ_add(environ, "SCRIPT_NAME", program->script);
        cgi_environ_add(environ, "PATH_INFO", program->extra);
        if (size > 0 && *program->extra) {
                char *translated = arena_alloc(environ->arena, size + strlen(program->extra) + 1);

                if (translated) {
                        memcpy(translated, root, size);
                        memcpy(translated + size, program->extra, strlen(program->extra));
                }
                cgi_environ_add(environ, "PATH_TRANSLATED", translated);
        }
}

void cgi_environ_request(struct cgi_environ *environ, const struct cgi_environ *fixed,
                         const struct cgi_settings *settings, const struct cgi_program *program,
                         const struct request *request)
{
        bool encrypted = strcmp(request->scheme, "https") == 0;

        for (size_t i = 0; i < fixed->n; i++)
                put(environ, fixed->variables[i], strlen(fixed->variables[i]));
        cgi_environ_add(environ, "REQUEST_METHOD", request->method);
        cgi_environ_add(environ, "REQUEST_URI", request->target);
        cgi_environ_add(environ, "REQUEST_SCHEME", request->scheme);
        cgi_environ_add(environ, "REQUEST_ID", request->id);
        cgi_environ_add(environ, "QUERY_STRING", request->query);
        cgi_environ_add(environ, "SERVER_PROTOCOL", request->version);
        cgi_environ_add(environ, "HTTPS", encrypted ? "on" : NULL);
        cgi_environ_add(environ, "SSL_PROTOCOL", request->tls_version);
        add_program(environ, settings, program);
        add_server(environ, request, encrypted);
        add_client(environ, request);
        add_body(environ, request);
        add_headers(environ, settings, request);
}
