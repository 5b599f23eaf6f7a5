/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environment of a program: each variable of RFC 3875, and what no client can set. */
#include "app/cgi_environ.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define H(name, value)                                                                             \
        {                                                                                          \
                name, value, sizeof(name) - 1, sizeof(value) - 1                                   \
        }

static struct header headers[] = {
        H("Host", "shop.example:8080"),
        H("User-Agent", "a/1"),
        H("Accept", "text/plain"),
        H("accept", "text/html"),
        H("Cookie", "a=1"),
        H("Cookie", "b=2"),
        H("Content-Type", "x/y"),
        H("Content-Length", "5"),
        H("Proxy", "http://evil/"),
        H("X_Real_IP", "1.2.3.4"),
        H("X-Shell", "() { :;}; echo vulnerable"),
        H("Authorization", "Basic secret"),
        H("Proxy-Authorization", "Basic secret"),
        H("Connection", "close"),
        H("Transfer-Encoding", "chunked"),
};

static char path[] = "/shop/run/extra";

static struct request request = {
        .method = "POST",
        .target = "/shop/run/extra?a=b",
        .version = "HTTP/1.1",
        .path = path,
        .query = "a=b",
        .host = "shop.example:8080",
        .scheme = "http",
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0]),
        .body = "hello",
        .body_size = 5,
        .id = "0123",
        .peer = "192.0.2.1",
};

static const struct cgi_program program = {
        .file = "/srv/run", .directory = "/srv", .script = "/shop/run", .extra = "/extra"};

static char *lookup(const char *name)
{
        static char folders[] = "/opt/bin", language[] = "C.UTF-8";

        if (strcmp(name, "PATH") == 0)
                return folders;
        return strcmp(name, "LANG") == 0 ? language : NULL;
}

/* The value of a variable that is there at most once; NULL when it is not. */
static const char *get(const struct cgi_environ *environ, const char *name)
{
        size_t size = strlen(name);
        const char *found = NULL;

        for (size_t i = 0; i < environ->n; i++) {
                const char *variable = environ->variables[i];

                if (strncmp(variable, name, size) != 0 || variable[size] != '=')
                        continue;
                assert(!found);
                found = variable + size + 1;
        }
        assert(!environ->variables[environ->n]);
        return found;
}

static bool is(const struct cgi_environ *environ, const char *name, const char *value)
{
        const char *found = get(environ, name);

        return value ? found && strcmp(found, value) == 0 : found == NULL;
}

static struct cgi_environ make(struct arena *arena, const struct cgi_settings *settings)
{
        char name[] = "env.GIT_PROJECT_ROOT", value[] = "/srv/git";
        struct app_key key = {.name = name, .value = value};
        const struct app_config config = {.keys = &key, .n_keys = 1};
        struct cgi_environ fixed = {.arena = arena}, environ = {.arena = arena};

        cgi_environ_fixed(&fixed, settings, &config, lookup);
        assert(fixed.error == 0);
        cgi_environ_request(&environ, &fixed, settings, &program, &request);
        return environ;
}

static void test_all(void)
{
        static const struct {
                const char *name, *value;
        } expected[] = {
                {"AUTH_TYPE", NULL},
                {"CONTENT_LENGTH", "5"},
                {"CONTENT_TYPE", "x/y"},
                {"DOCUMENT_ROOT", "/srv"},
                {"GATEWAY_INTERFACE", "CGI/1.1"},
                {"GIT_PROJECT_ROOT", "/srv/git"},
                {"HTTPS", NULL},
                {"HTTP_ACCEPT", "text/plain, text/html"},
                {"HTTP_AUTHORIZATION", NULL},
                {"HTTP_CONNECTION", NULL},
                {"HTTP_CONTENT_LENGTH", NULL},
                {"HTTP_COOKIE", "a=1; b=2"},
                {"HTTP_HOST", "shop.example:8080"},
                {"HTTP_PROXY", NULL},
                {"HTTP_PROXY_AUTHORIZATION", NULL},
                {"HTTP_TRANSFER_ENCODING", NULL},
                {"HTTP_USER_AGENT", "a/1"},
                {"HTTP_X_REAL_IP", NULL},
                {"HTTP_X_SHELL", "() { :;}; echo vulnerable"},
                {"LANG", "C.UTF-8"},
                {"PATH", "/opt/bin"},
                {"PATH_INFO", "/extra"},
                {"PATH_TRANSLATED", "/srv/extra"},
                {"QUERY_STRING", "a=b"},
                {"REMOTE_ADDR", "192.0.2.1"},
                {"REMOTE_HOST", "192.0.2.1"},
                {"REMOTE_USER", NULL},
                {"REQUEST_ID", "0123"},
                {"REQUEST_METHOD", "POST"},
                {"REQUEST_URI", "/shop/run/extra?a=b"},
                {"SCRIPT_FILENAME", "/srv/run"},
                {"SCRIPT_NAME", "/shop/run"},
                {"SERVER_NAME", "shop.example"},
                {"SERVER_PORT", "8080"},
                {"SERVER_PROTOCOL", "HTTP/1.1"},
                {"SERVER_SOFTWARE", "appsrv/" APPSRV_VERSION},
        };
        const struct cgi_settings settings = {
                .program = "", .root = "/srv", .document_root = "", .inherit = "PATH, LANG ZZ"};
        struct arena arena = {0};
        struct cgi_environ environ = make(&arena, &settings);

        assert(environ.error == 0);
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
                assert(is(&environ, expected[i].name, expected[i].value));
        arena_free(&arena);
}

static void test_encrypted_client(void)
{
        const struct cgi_settings settings = {.program = "/srv/run",
                                              .root = "",
                                              .document_root = "",
                                              .inherit = "",
                                              .authorization = true};
        struct arena arena = {0};
        struct cgi_environ environ;

        request.scheme = "https";
        request.host = "[2001:db8::1]";
        request.tls_version = "TLS1.3";
        request.tls_subject = "CN=alice,O=Example";
        (void)snprintf(request.peer, sizeof(request.peer), "unix");
        environ = make(&arena, &settings);
        assert(environ.error == 0 && is(&environ, "HTTPS", "on"));
        assert(is(&environ, "SERVER_NAME", "[2001:db8::1]") && is(&environ, "SERVER_PORT", "443"));
        assert(is(&environ, "REMOTE_USER", "CN=alice,O=Example"));
        assert(is(&environ, "AUTH_TYPE", "ClientCertificate"));
        assert(is(&environ, "SSL_PROTOCOL", "TLS1.3") && is(&environ, "REMOTE_ADDR", NULL));
        assert(is(&environ, "HTTP_AUTHORIZATION", "Basic secret"));
        assert(is(&environ, "PATH_TRANSLATED", NULL) && is(&environ, "DOCUMENT_ROOT", NULL));
        assert(is(&environ, "PATH", "/usr/local/bin:/usr/bin:/bin"));
        arena_free(&arena);
}

/* CONTENT_LENGTH is there when there is a body, also of a length that nobody announced. */
static void test_body(void)
{
        const struct cgi_settings settings = {
                .program = "/srv/run", .root = "", .document_root = "", .inherit = ""};
        struct arena arena = {0};
        struct cgi_environ environ;

        request.n_headers = 1;
        request.body_size = 0;
        environ = make(&arena, &settings);
        assert(is(&environ, "CONTENT_LENGTH", NULL) && is(&environ, "CONTENT_TYPE", NULL));
        request.body_size = 70000;
        environ = make(&arena, &settings);
        assert(is(&environ, "CONTENT_LENGTH", "70000"));
        arena_free(&arena);
}

static void test_limits(void)
{
        struct arena arena = {0};
        struct cgi_environ environ = {.arena = &arena};
        char *large = calloc(1, CGI_ENVIRON_MAX + 1);

        assert(large);
        memset(large, 'x', CGI_ENVIRON_MAX / 4);
        for (unsigned i = 0; i < 3; i++)
                cgi_environ_add(&environ, "A", large);
        assert(environ.error == 0 && environ.n == 3);
        for (unsigned i = 0; i < 200 && environ.error == 0; i++)
                cgi_environ_add(&environ, "A", "b");
        assert(environ.error == 0 && environ.n == 203);
        cgi_environ_add(&environ, "A", large);
        assert(environ.error == -E2BIG);
        memset(large, 'x', CGI_ENVIRON_MAX);
        environ = (struct cgi_environ){.arena = &arena};
        cgi_environ_add(&environ, "A", large);
        assert(environ.error == -E2BIG && environ.n == 0);
        free(large);
        arena_free(&arena);
}

static bool name_is_free(const char *name)
{
        return cgi_name_free(name, strlen(name));
}

static void test_names(void)
{
        assert(name_is_free("GIT_PROJECT_ROOT") && name_is_free("_a1") && name_is_free("PATH"));
        assert(!name_is_free("") && !name_is_free("1A") && !name_is_free("A-B"));
        assert(!name_is_free("A.B") && !name_is_free("HTTP_PROXY") && !name_is_free("HTTP_"));
        assert(!name_is_free("REMOTE_USER") && !name_is_free("PATH_INFO"));
}

int main(void)
{
        test_all();
        test_encrypted_client();
        test_body();
        test_limits();
        test_names();
        return 0;
}
