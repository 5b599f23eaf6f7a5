/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header block of a program: what is taken, and what is wrong with others. */
#include "app/cgi_head.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct header fields[CGI_FIELDS_MAX];
static char text[CGI_HEAD_MAX];

static const char *parse(const char *block, struct cgi_head *head)
{
        size_t size = strlen(block), end;

        assert(size <= sizeof(text));
        memcpy(text, block, size);
        end = cgi_head_end(text, size);
        assert(end > 0);
        head->headers = fields;
        return cgi_head_parse(text, end, head);
}

static void test_end(void)
{
        assert(cgi_head_end("", 0) == 0);
        assert(cgi_head_end("A: b\n", 5) == 0);
        assert(cgi_head_end("A: b\r\n\r", 7) == 0);
        assert(cgi_head_end("A: b\n\nbody\n\n", 12) == 6);
        assert(cgi_head_end("A: b\r\n\r\nbody", 12) == 8);
        assert(cgi_head_end("A: b\n\r\nbody", 11) == 7);
        assert(cgi_head_end("\nbody", 5) == 1);
}

static void test_document(void)
{
        struct cgi_head head;

        assert(!parse("Content-Type: text/plain\nX-A:  b c \r\nX-A:\n\n", &head));
        assert(strcmp(head.type, "text/plain") == 0 && cgi_head_status(&head) == 200);
        assert(!head.location && head.length == CGI_LENGTH_UNKNOWN && head.n_headers == 2);
        assert(strcmp(head.headers[0].name, "X-A") == 0 && head.headers[0].value_size == 3);
        assert(strcmp(head.headers[0].value, "b c") == 0 && head.headers[1].value_size == 0);

        assert(!parse("status: 404 Not Found\ncontent-length: 12\n\n", &head));
        assert(cgi_head_status(&head) == 404 && head.length == 12 && !head.type);
        assert(!parse("Status: 299\n\n", &head) && cgi_head_status(&head) == 299);
}

static void test_redirects(void)
{
        struct cgi_head head;

        assert(!parse("Location: /a?b\n\n", &head) && cgi_head_is_local(&head));
        assert(!parse("Location: //host/a\n\n", &head) && !cgi_head_is_local(&head));
        assert(cgi_head_status(&head) == 302);
        assert(!parse("Location: http://host/\n\n", &head) && !cgi_head_is_local(&head));
        assert(cgi_head_status(&head) == 302);
        assert(!parse("Status: 301\nLocation: /a\n\n", &head) && !cgi_head_is_local(&head));
        assert(cgi_head_status(&head) == 301);
        assert(!parse("Content-Type: text/html\nLocation: /a\n\n", &head));
        assert(cgi_head_is_local(&head));
}

static void test_faults(void)
{
        static const struct {
                const char *block, *fault;
        } blocks[] = {
                {"\n", "neither"},
                {"X: y\n\n", "neither"},
                {"HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "NPH"},
                {"Content-Type: a/b\n folded: b\n\n", "folded"},
                {"no colon\n\n", "colon"},
                {"Content-Type : a/b\n\n", "token"},
                {": empty\n\n", "token"},
                {"Content-Type: a\001b\n\n", "control"},
                {"Content-Type: a\rb\n\n", "control"},
                {"Content-Type: a/b\nContent-Type: a/b\n\n", "more than one Content-Type"},
                {"Status: 200\nStatus: 200\n\n", "more than one Status"},
                {"Location: a\nLocation: b\n\n", "more than one Location"},
                {"Location:\n\n", "empty Location"},
                {"Content-Length: 1\nContent-Length: 1\n\n", "more than one Content-Length"},
                {"Content-Type: a/b\nContent-Length: -1\n\n", "Content-Length that is no"},
                {"Content-Length: 99999999999999999999\n\n", "Content-Length that is no"},
                {"Content-Length: 18446744073709551615\n\n", "Content-Length that is no"},
                {"Status: 20\n\n", "three digits"},
                {"Status: 2000\n\n", "three digits"},
                {"Status: 101 Switching Protocols\n\n", "200 to 599"},
                {"Status: 600\n\n", "200 to 599"},
                {"Status: OK!\n\n", "200 to 599"},
        };
        struct cgi_head head;

        for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
                const char *fault = parse(blocks[i].block, &head);

                assert(fault && strstr(fault, blocks[i].fault));
        }
}

static void test_nul_and_number(void)
{
        char block[] = "Content-Type: a\0b\n\n";
        struct cgi_head head = {.headers = fields};
        char *end;

        assert(cgi_head_end(block, sizeof(block) - 1) == sizeof(block) - 1);
        assert(cgi_head_parse(block, sizeof(block) - 1, &head));

        for (unsigned n = CGI_FIELDS_MAX; n <= CGI_FIELDS_MAX + 1; n++) {
                end = text + sprintf(text, "Content-Type: a/b\n");
                for (unsigned i = 0; i < n; i++)
                        end += sprintf(end, "X: y\n");
                end += sprintf(end, "\n");
                assert(!cgi_head_parse(text, (size_t)(end - text), &head) == (n == CGI_FIELDS_MAX));
        }
}

int main(void)
{
        test_end();
        test_document();
        test_redirects();
        test_faults();
        test_nul_and_number();
        return 0;
}
