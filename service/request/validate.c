/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head of a request judged, rule by rule. Where an RFC leaves a choice, the stricter answer is
 * taken: a head that two parties can read in two ways is how requests are smuggled. Loop thread.
 */
#include "request/validate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"

/* Longer than any registered method (UPDATEREDIRECTREF, 17). */
#define METHOD_MAX 32

#define PORT_MAX 65535

#define ACCEPTED ((struct verdict){0})

/* What every rule is given. */
struct head {
        const struct request *request;
        const struct head_limits *limits;
};

static struct verdict refused(int status, const char *reason)
{
        return (struct verdict){.status = status, .reason = reason};
}

static size_t count_headers(const struct request *request, const char *name)
{
        size_t n = 0;

        for (size_t i = 0; i < request->n_headers; i++)
                n += header_is(&request->headers[i], name);
        return n;
}

static bool is_digit(char byte)
{
        return byte >= '0' && byte <= '9';
}

static bool version_1_0(const struct request *request)
{
        return strcmp(request->version, "HTTP/1.0") == 0;
}

/*
 * RFC 9112 2.3: HTTP-version = "HTTP/" DIGIT "." DIGIT; RFC 9110 2.5: any minor version of 1 is
 * read as the highest we know.
 */
static struct verdict check_version(const struct head *head)
{
        const char *version = head->request->version;

        if (strlen(version) != 8 || strncmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) ||
            version[6] != '.' || !is_digit(version[7]))
                return refused(400, "malformed HTTP version");
        if (version[5] != '1')
                return refused(505, "HTTP major version is not 1");
        return ACCEPTED;
}

/*
 * RFC 9110 9.1: a method is a case-sensitive token; one that is unrecognised gets 501. Every
 * upper-case token is the application's to recognise; in lower case it is refused, because a party
 * that folds case reads another method. RFC 9112 3: 501 as well when it is longer than any that is
 * implemented.
 */
static struct verdict check_method(const struct head *head)
{
        const char *method = head->request->method;
        size_t size = strlen(method);

        if (!token_valid(method, size))
                return refused(400, "malformed method");
        if (size > METHOD_MAX)
                return refused(501, "method is too long");
        for (size_t i = 0; i < size; i++) {
                if (method[i] >= 'a' && method[i] <= 'z')
                        return refused(501, "method is not in upper case");
        }
        return ACCEPTED;
}

/*
 * RFC 9110 9.3.6 and 9.3.8: an origin server need not offer CONNECT; TRACE would show headers that
 * a proxy added.
 */
static struct verdict check_method_allowed(const struct head *head)
{
        const struct request *request = head->request;

        if (strcmp(request->method, "CONNECT") == 0)
                return refused(501, "CONNECT is not implemented");
        if (strcmp(request->method, "TRACE") == 0)
                return refused(405, "TRACE is not offered");
        return ACCEPTED;
}

/* RFC 9112 3: a request line longer than the server wishes to parse. */
static struct verdict check_request_line(const struct head *head)
{
        const struct request *request = head->request;
        size_t spaces = 2;
        size_t size = strlen(request->method) + request->target_size + strlen(request->version);

        if (size + spaces > head->limits->request_line)
                return refused(414, "request line is longer than limit_request_line");
        return ACCEPTED;
}

/* RFC 6585 5: too many or too large header fields. */
static struct verdict check_header_limits(const struct head *head)
{
        const struct request *request = head->request;
        size_t colon_and_space = 2;

        if (request->n_headers > head->limits->request_fields)
                return refused(431, "more headers than limit_request_fields");
        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (header->name_size + header->value_size + colon_and_space >
                    head->limits->request_field_size)
                        return refused(431, "a header is longer than limit_request_field_size");
        }
        return ACCEPTED;
}

/*
 * RFC 9112 5.1: no white space before the colon, so a name is a token; RFC 9110 5.5: CR, LF, NUL
 * and other controls in a value.
 */
static struct verdict check_header_syntax(const struct head *head)
{
        const struct request *request = head->request;

        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (!token_valid(header->name, header->name_size))
                        return refused(400, "malformed header name");
                if (!field_value_valid(header->value, header->value_size))
                        return refused(400, "control byte in a header");
        }
        return ACCEPTED;
}

/* RFC 9112 3.2: exactly one valid Host; HTTP/1.0 may do without. */
static struct verdict check_host(const struct head *head)
{
        const struct request *request = head->request;
        const struct header *host = request_header(request, "Host");

        if (!host)
                return version_1_0(request) ? ACCEPTED : refused(400, "Host is missing");
        if (count_headers(request, "Host") > 1)
                return refused(400, "more than one Host");
        if (!authority_valid(host->value, host->value_size))
                return refused(400, "malformed Host");
        return ACCEPTED;
}

/*
 * Whether a list of codings ends with the only "chunked" in it and the others are tokens, which may
 * be codings we do not know.
 */
static bool codings_before_chunked(const char *list, size_t size)
{
        const char *end = list + size, *comma;

        for (; (comma = memchr(list, ',', (size_t)(end - list))) != NULL; list = comma + 1) {
                const char *last = comma;

                while (list < last && (*list == ' ' || *list == '\t'))
                        list++;
                while (last > list && (last[-1] == ' ' || last[-1] == '\t'))
                        last--;
                if (!token_valid(list, (size_t)(last - list)) ||
                    equal_ignoring_case(list, (size_t)(last - list), "chunked"))
                        return false;
        }
        while (list < end && (*list == ' ' || *list == '\t'))
                list++;
        return equal_ignoring_case(list, (size_t)(end - list), "chunked");
}

/*
 * RFC 9112 6.1: chunked is the only coding we read, it comes once and last, never in HTTP/1.0 and
 * never beside a Content-Length. Unknown codings before it: 501; without it as the last one the
 * length is unknown: 400 (6.3).
 */
static struct verdict check_transfer_encoding(const struct head *head)
{
        const struct request *request = head->request;
        const struct header *coding = request_header(request, "Transfer-Encoding");

        if (!coding)
                return ACCEPTED;
        if (request_header(request, "Content-Length"))
                return refused(400, "both Transfer-Encoding and Content-Length");
        if (version_1_0(request))
                return refused(400, "Transfer-Encoding in HTTP/1.0");
        if (count_headers(request, "Transfer-Encoding") > 1)
                return refused(400, "more than one Transfer-Encoding");
        if (equal_ignoring_case(coding->value, coding->value_size, "chunked"))
                return ACCEPTED;
        if (codings_before_chunked(coding->value, coding->value_size))
                return refused(501, "transfer coding is not implemented");
        return refused(400, "Transfer-Encoding is not chunked");
}

/* RFC 9110 8.6, RFC 9112 6.3: digits only; equal copies might be joined, but are refused. */
static struct verdict check_content_length(const struct head *head)
{
        const struct request *request = head->request;
        const struct header *length = request_header(request, "Content-Length");
        uint64_t bytes;
        int r;

        if (!length)
                return ACCEPTED;
        if (count_headers(request, "Content-Length") > 1)
                return refused(400, "more than one Content-Length");
        r = parse_number(length->value, &bytes);
        if (r == -ERANGE)
                return refused(413, "Content-Length is beyond any limit");
        if (r < 0)
                return refused(400, "malformed Content-Length");
        if (bytes > INT64_MAX || bytes > head->limits->request_body)
                return refused(413, "body is larger than limit_request_body");
        return ACCEPTED;
}

/*
 * RFC 9110 10.1.1: 100-continue is the only expectation; HTTP/1.0 cannot have one, it is ignored
 * there.
 */
static struct verdict check_expect(const struct head *head)
{
        const struct request *request = head->request;

        if (version_1_0(request))
                return ACCEPTED;
        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];

                if (header_is(header, "Expect") &&
                    !equal_ignoring_case(header->value, header->value_size, "100-continue"))
                        return refused(417, "unknown expectation");
        }
        return ACCEPTED;
}

/* In this order: what makes the rest unreadable first, so that the answer names the cause. */
static struct verdict (*const rules[])(const struct head *) = {
        check_version,        check_method,         check_request_line, check_header_limits,
        check_header_syntax,  check_method_allowed, check_host,         check_transfer_encoding,
        check_content_length, check_expect,
};

static struct framing framing_of(const struct request *request)
{
        const struct header *length = request_header(request, "Content-Length");
        struct framing framing = {
                .chunked = request_header(request, "Transfer-Encoding") != NULL,
                .waits = !version_1_0(request) && request_header(request, "Expect") != NULL,
        };

        if (length)
                (void)parse_number(length->value, &framing.content_length);
        return framing;
}

struct verdict validate_head(const struct request *request, const struct head_limits *limits,
                             struct framing *framing)
{
        const struct head head = {.request = request, .limits = limits};

        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
                struct verdict verdict = rules[i](&head);

                if (verdict.status != 0)
                        return verdict;
        }
        *framing = framing_of(request);
        return ACCEPTED;
}

static bool port_valid(const char *text, size_t size)
{
        unsigned port = 0;

        for (size_t i = 0; i < size; i++) {
                if (!is_digit(text[i]))
                        return false;
                port = port * 10 + (unsigned)(text[i] - '0');
                if (port > PORT_MAX)
                        return false;
        }
        return true;
}

static bool address_6_valid(const char *text, size_t size)
{
        struct in6_addr address;
        char copy[INET6_ADDRSTRLEN];

        if (size >= sizeof(copy) || memchr(text, '\0', size))
                return false;
        memcpy(copy, text, size);
        copy[size] = '\0';
        return inet_pton(AF_INET6, copy, &address) == 1;
}

/*
 * A registered name or an IPv4 address. Fewer bytes than RFC 3986 allows: no percent-escapes, which
 * some party would decode, and no sub-delims but those that are seen; above all no comma, with
 * which a list of hosts is joined.
 */
static bool name_valid(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                char byte = text[i];

                if (!is_digit(byte) && !(byte >= 'a' && byte <= 'z') &&
                    !(byte >= 'A' && byte <= 'Z') && (!byte || !strchr("-._~!$&'()*+;=", byte)))
                        return false;
        }
        return size > 0;
}

bool authority_valid(const char *text, size_t size)
{
        const char *end = text + size, *host_end, *colon;

        if (size == 0 || size > AUTHORITY_MAX)
                return false;

        if (*text == '[') {
                host_end = memchr(text, ']', size);
                if (!host_end || !address_6_valid(text + 1, (size_t)(host_end - text - 1)))
                        return false;
                colon = host_end + 1;
        } else {
                colon = memchr(text, ':', size);
                if (!colon)
                        colon = end;
                if (!name_valid(text, (size_t)(colon - text)))
                        return false;
        }
        if (colon == end)
                return true;
        return *colon == ':' && port_valid(colon + 1, (size_t)(end - colon - 1));
}
