/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a fresh installation serves until an application is configured: one page that says that
 * appsrv works, and what comes next. Installed as welcome.so; it keeps nothing, so any number of
 * threads may run it.
 */
#include <appsrv/appsrv.h>

#include <stdio.h>
#include <string.h>

/*
 * Everything but the version: no script, nothing from elsewhere, light or dark as the reader has
 * it.
 */
static const char page_head[] =
        "<!doctype html>\n"
        "<html lang=\"en\">\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>appsrv works</title>\n"
        "<style>\n"
        ":root { color-scheme: light dark; --line: #8884; --mark: #2a8f5b; }\n"
        "body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto 6vh;\n"
        "       padding: 0 1.5rem; }\n"
        "h1 { font-size: 2.2rem; line-height: 1.2; margin: 0 0 .3em; }\n"
        "h1::before { content: \"\\2713\\a0\"; color: var(--mark); }\n"
        "h2 { font-size: 1.1rem; margin: 2.2em 0 .4em; }\n"
        "pre { font: .92rem/1.5 ui-monospace, monospace; border: 1px solid var(--line);\n"
        "      border-left: .25rem solid var(--mark); border-radius: .3rem; padding: .8em 1em;\n"
        "      overflow-x: auto; }\n"
        "code { font: .92em ui-monospace, monospace; }\n"
        "footer { margin-top: 3.5em; padding-top: .8em; border-top: 1px solid var(--line);\n"
        "         font-size: .88rem; opacity: .75; }\n"
        "</style>\n"
        "<h1>appsrv works</h1>\n"
        "<p>This page comes from the welcome application, which answers until one of yours "
        "does.</p>\n"
        "<h2>Serve your application</h2>\n"
        "<p>Put a file such as <code>/etc/appsrv/conf.d/hello.ini</code> in place:</p>\n"
        "<pre>[app hello]\n"
        "type = native\n"
        "path = /srv/hello/hello.so\n"
        "mount = /</pre>\n"
        "<p>Then let appsrv check it and take it over:</p>\n"
        "<pre>appsrv check\n"
        "systemctl reload appsrv</pre>\n"
        "<h2>See what happens</h2>\n"
        "<p>Every request is one record in the journal. Those of this application, as they "
        "come:</p>\n"
        "<pre>journalctl -f -t appsrv RECORD=access</pre>\n"
        "<p>Everything about the request that showed you this page:</p>\n"
        "<pre>journalctl -t appsrv REQUEST_ID=";

static const char page_foot[] =
        "</pre>\n"
        "<h2>Read on</h2>\n"
        "<p><code>man appsrv</code>, <code>man appsrv.ini</code>, <code>man "
        "appsrv-journal</code>;\n"
        "an application to begin with is <code>hello.c</code> in the documentation's folder.</p>\n"
        "<footer>appsrv %s</footer>\n"
        "</html>\n";

/* The id needs no escaping: the server made it of hexadecimal digits. */
static int send_page(appsrv_req *req)
{
        const char *id = appsrv_info(req, "id"), *version = appsrv_version();
        size_t room = sizeof(page_head) + sizeof(page_foot) + strlen(id) + strlen(version);
        char *page = appsrv_alloc(req, room);
        int head, foot;

        if (!page)
                return appsrv_send(req, 503, NULL, NULL, 0);
        head = snprintf(page, room, "%s%s", page_head, id);
        foot = snprintf(page + head, room - (size_t)head, page_foot, version);
        (void)appsrv_set(req, "Cache-Control", "no-store");
        (void)appsrv_set(req, "Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
        (void)appsrv_set(req, "X-Content-Type-Options", "nosniff");
        return appsrv_send(req, 200, "text/html; charset=utf-8", page, (size_t)(head + foot));
}

static int send_text(appsrv_req *req, int status, const char *text)
{
        return appsrv_send(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static int welcome(appsrv_req *req, void *self)
{
        const char *method = appsrv_method(req);

        (void)self;
        if (strcmp(appsrv_path(req, NULL), "/") != 0)
                return send_text(req, 404, "404 Not Found\n");
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
                (void)appsrv_set(req, "Allow", "GET, HEAD");
                return send_text(req, 405, "405 Method Not Allowed\n");
        }
        return send_page(req);
}

APPSRV_APP(.name = "welcome", .version = "1", .flags = APPSRV_F_CONCURRENT, .handle = welcome);
