/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/forwarded.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The proxies of these tests; 192.0.2.0/24 and 2001:db8::/32 are clients. */
#define PROXIES "10.0.0.0/8,fd00::/8"

/* Headers as somebody writes them: "Name: value", NULL-terminated. */
struct sample {
        const char *headers[8];
};

#define HEADERS(...) (&(struct sample){{__VA_ARGS__}})
#define FOR          "X-Forwarded-For: "
#define PROTO        "X-Forwarded-Proto: "
#define HOST         "X-Forwarded-Host: "
#define RFC          "Forwarded: "

static struct verdict apply(const struct sample *sample, const char *trusted, struct forwarded *ret)
{
        struct header headers[8];
        struct request request = {.headers = headers};
        struct address_set set;

        for (; sample->headers[request.n_headers]; request.n_headers++) {
                const char *name = sample->headers[request.n_headers];
                const char *value = strstr(name, ": ") + 2;

                headers[request.n_headers] =
                        (struct header){.name = name,
                                        .name_size = (size_t)(value - name - 2),
                                        .value = value,
                                        .value_size = strlen(value)};
        }
        assert(address_set_parse(trusted, &set) == 0);
        return forwarded_apply(&request, &set, ret);
}

static bool refused(const struct sample *sample)
{
        struct forwarded forwarded, before;
        struct verdict verdict;

        memset(&forwarded, 0x5a, sizeof(forwarded));
        before = forwarded;
        verdict = apply(sample, PROXIES, &forwarded);
        if (verdict.status == 0)
                return false;
        assert(verdict.status == 400 && verdict.reason && *verdict.reason);
        assert(memcmp(&forwarded, &before, sizeof(forwarded)) == 0);
        return true;
}

static bool says(const struct sample *sample, const char *client, const char *scheme,
                 const char *host)
{
        struct forwarded forwarded;
        struct verdict verdict = apply(sample, PROXIES, &forwarded);

        assert(verdict.status == 0 && !verdict.reason);
        return strcmp(forwarded.client, client) == 0 && strcmp(forwarded.scheme, scheme) == 0 &&
               strcmp(forwarded.host, host) == 0;
}

static bool client_with(const char *trusted, const struct sample *sample, const char *client)
{
        struct forwarded forwarded;

        assert(apply(sample, trusted, &forwarded).status == 0);
        return strcmp(forwarded.client, client) == 0;
}

static bool client_is(const struct sample *sample, const char *client)
{
        return client_with(PROXIES, sample, client);
}

static bool malformed_for(const char *value)
{
        char header[512];

        (void)snprintf(header, sizeof(header), FOR "%s", value);
        return refused(HEADERS(header));
}

static bool malformed(const char *value)
{
        char header[1024];

        (void)snprintf(header, sizeof(header), RFC "%s", value);
        return refused(HEADERS(header));
}

static void test_nothing_said_is_nothing_known(void)
{
        assert(says(HEADERS(NULL), "", "", ""));
        assert(says(HEADERS("Host: a", "X-Forwarded-Server: b", "X-Real-IP: 192.0.2.1"), "", "",
                    ""));
}

static void test_client_is_the_rightmost_that_is_not_trusted(void)
{
        assert(client_is(HEADERS(FOR "192.0.2.1"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "192.0.2.1, 10.0.0.1"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "192.0.2.1,10.0.0.1\t , fd00::1"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "192.0.2.9, 192.0.2.1, 10.0.0.1"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "10.0.0.9, 192.0.2.1"), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=192.0.2.9, for=192.0.2.1, for=10.0.0.1"), "192.0.2.1"));
        assert(client_with("", HEADERS(FOR "192.0.2.1, 10.0.0.1"), "10.0.0.1"));
}

static void test_client_is_the_leftmost_when_all_are_trusted(void)
{
        assert(client_is(HEADERS(FOR "10.0.0.1"), "10.0.0.1"));
        assert(client_is(HEADERS(FOR "10.0.0.1, 10.0.0.2, 10.0.0.3"), "10.0.0.1"));
        assert(client_is(HEADERS(RFC "for=10.0.0.1, for=10.0.0.2"), "10.0.0.1"));
        assert(client_with("*", HEADERS(FOR "192.0.2.1, 192.0.2.2"), "192.0.2.1"));
}

static void test_fields_of_a_name_are_joined_in_order(void)
{
        assert(client_is(HEADERS(FOR "192.0.2.1", "x-forwarded-for: 192.0.2.2"), "192.0.2.2"));
        assert(client_is(HEADERS(FOR "192.0.2.1", "Host: a", FOR "10.0.0.2"), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=192.0.2.1", "FORWARDED: for=192.0.2.2"), "192.0.2.2"));
        assert(refused(HEADERS(RFC "for=\"_a", RFC "b\"")));
}

static void test_client_is_written_in_one_way(void)
{
        assert(client_is(HEADERS(FOR "2001:DB8:0:0::1"), "2001:db8::1"));
        assert(client_is(HEADERS(FOR "[2001:db8::1]"), "2001:db8::1"));
        assert(client_is(HEADERS(FOR "[2001:db8::1]:443"), "2001:db8::1"));
        assert(client_is(HEADERS(FOR "192.0.2.1:65535"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "::ffff:192.0.2.1"), "192.0.2.1"));
        assert(client_is(HEADERS(FOR "192.0.2.1, ::ffff:10.0.0.1"), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=\"192.0.2.1:1\""), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=\"192.0.2.1:_p-o.r_t\""), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=\"[2001:db8::1]:1\""), "2001:db8::1"));
        assert(client_is(HEADERS(RFC "for=\"[::ffff:192.0.2.1]\""), "192.0.2.1"));
}

static void test_hidden_node_leaves_the_last_known_address(void)
{
        assert(client_is(HEADERS(RFC "for=unknown"), ""));
        assert(client_is(HEADERS(RFC "for=_hidden"), ""));
        assert(client_is(HEADERS(RFC "for=_azAZ09"), ""));
        assert(client_is(HEADERS(RFC "for=\"_a.b-c_9:_x\""), ""));
        assert(client_is(HEADERS(RFC "for=\"Unknown:80\""), ""));
        assert(client_is(HEADERS(RFC "proto=http"), ""));
        assert(client_is(HEADERS(FOR "unknown, 10.0.0.1, 10.0.0.2"), "10.0.0.1"));
        assert(client_is(HEADERS(FOR "192.0.2.1, unknown, 10.0.0.1"), "10.0.0.1"));
        assert(client_is(HEADERS(FOR "192.0.2.1, unknown"), ""));
        assert(client_is(HEADERS(FOR "unknown, 192.0.2.1"), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "for=192.0.2.1, for=_a, for=10.0.0.1"), "10.0.0.1"));
        assert(client_with("*", HEADERS(FOR "192.0.2.1, unknown, 10.0.0.1"), "10.0.0.1"));
}

static void test_malformed_nodes_are_refused(void)
{
        static const char *const nodes[] = {
                "a",
                "192.0.2",
                "192.0.2.256",
                "192.0.2.01",
                "192.0.2.1:",
                "192.0.2.1:x",
                "192.0.2.1:65536",
                "192.0.2.1:000080",
                "[192.0.2.1]",
                "[::1",
                "::1]",
                "[::1]x",
                "[::1]:",
                "[::1%lo]",
                "[]",
                "[",
                "]",
                "_",
                "_a b",
                "_/",
                "_:",
                "_@",
                "_[",
                "_`",
                "_{",
                "_a/",
                "unknown:",
                "unknowns",
                "192.0.2.1:_",
                "192.0.2.1/32",
                "-",
        };
        char quoted[64];

        for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
                assert(malformed_for(nodes[i]));
                (void)snprintf(quoted, sizeof(quoted), "for=\"%s\"", nodes[i]);
                assert(malformed(quoted));
                (void)snprintf(quoted, sizeof(quoted), "for=_a;by=\"%s\"", nodes[i]);
                assert(malformed(quoted));
        }
        assert(malformed_for("192.0.2.1 192.0.2.2"));
        assert(malformed_for("192.0.2.1;192.0.2.2"));
        assert(malformed_for("\"192.0.2.1\""));
        assert(malformed_for("2001:db8::1::"));
        assert(malformed_for("x, 192.0.2.1")); /* left of the client as well */
        assert(malformed("for=\"2001:db8::1\""));
}

static void test_empty_elements_say_nothing(void)
{
        assert(client_is(HEADERS(FOR ""), ""));
        assert(client_is(HEADERS(FOR ", 192.0.2.1,, 10.0.0.1 ,"), "192.0.2.1"));
        assert(says(HEADERS(PROTO ",http,", HOST "a, "), "", "http", "a"));
        assert(says(HEADERS(RFC ", for=192.0.2.1;;proto=http;,"), "192.0.2.1", "http", ""));
}

static void test_scheme_is_http_or_https(void)
{
        assert(says(HEADERS(PROTO "http"), "", "http", ""));
        assert(says(HEADERS(PROTO "HTTPS"), "", "https", ""));
        assert(says(HEADERS(RFC "proto=Https"), "", "https", ""));
        assert(says(HEADERS(RFC "proto=\"http\""), "", "http", ""));
        assert(refused(HEADERS(PROTO "ws")));
        assert(refused(HEADERS(PROTO "wss")));
        assert(refused(HEADERS(PROTO "httpss")));
        assert(refused(HEADERS(PROTO "\"http\"")));
        assert(refused(HEADERS(RFC "proto=wss")));
        assert(refused(HEADERS(RFC "proto=\"\"")));
}

static void test_host_is_an_authority(void)
{
        assert(says(HEADERS(HOST "example.org:8443"), "", "", "example.org:8443"));
        assert(says(HEADERS(HOST "[::1]:80"), "", "", "[::1]:80"));
        assert(says(HEADERS(RFC "host=example.org"), "", "", "example.org"));
        assert(says(HEADERS(RFC "host=\"example.org:80\""), "", "", "example.org:80"));
        assert(refused(HEADERS(HOST "a b")));
        assert(refused(HEADERS(HOST "a/b")));
        assert(refused(HEADERS(HOST "a:65536")));
        assert(refused(HEADERS(RFC "host=\"a/b\"")));
        assert(refused(HEADERS(RFC "host=\"a,b\"")));
        assert(refused(HEADERS(RFC "host=\"\"")));
        assert(refused(HEADERS(RFC "host=example.org:80"))); /* no token */
}

static void test_host_may_have_all_that_an_authority_has(void)
{
        char name[AUTHORITY_MAX + 2], header[sizeof(name) + 32];

        memset(name, 'a', sizeof(name));
        name[AUTHORITY_MAX] = '\0';
        (void)snprintf(header, sizeof(header), HOST "%s", name);
        assert(says(HEADERS(header), "", "", name));
        (void)snprintf(header, sizeof(header), RFC "host=%s", name);
        assert(says(HEADERS(header), "", "", name));
        (void)snprintf(header, sizeof(header), RFC "host=\"%s\"", name);
        assert(says(HEADERS(header), "", "", name));
        (void)snprintf(header, sizeof(header), HOST "%sa", name);
        assert(refused(HEADERS(header)));
        (void)snprintf(header, sizeof(header), RFC "host=%sa", name);
        assert(refused(HEADERS(header)));
        (void)snprintf(header, sizeof(header), RFC "host=\"%sa\"", name);
        assert(refused(HEADERS(header)));
}

static void test_lists_of_schemes_and_hosts_have_one_value(void)
{
        assert(says(HEADERS(PROTO "https, HTTPS", PROTO "https"), "", "https", ""));
        assert(says(HEADERS(HOST "a, A"), "", "", "a"));
        assert(refused(HEADERS(PROTO "https, http")));
        assert(refused(HEADERS(PROTO "https", PROTO "http")));
        assert(refused(HEADERS(HOST "a, b")));
        assert(refused(HEADERS(HOST "a", HOST "a:80")));
}

static void test_forwarded_element_has_pairs(void)
{
        assert(says(HEADERS(RFC "For=192.0.2.1;BY=10.0.0.1;Host=a;pRoto=http"), "192.0.2.1", "http",
                    "a"));
        assert(says(HEADERS(RFC "for=192.0.2.1; proto=http ;\thost=a"), "192.0.2.1", "http", "a"));
        assert(client_is(HEADERS(RFC "for=192.0.2.1;secret=x;secret=\"y,;\\\"\""), "192.0.2.1"));
        assert(malformed("for"));
        assert(malformed("x"));
        assert(malformed("for="));
        assert(malformed("=192.0.2.1"));
        assert(malformed("for =192.0.2.1"));
        assert(malformed("for= 192.0.2.1"));
        assert(malformed("for:192.0.2.1"));
        assert(malformed("for=192.0.2.1 proto=http"));
        assert(malformed("for=192.0.2.1;for=192.0.2.1"));
        assert(malformed("proto=http;PROTO=http"));
        assert(malformed("host=a;host=a"));
        assert(malformed("by=_a;by=_a"));
        assert(malformed("for=192.0.2.1:80"));
        assert(malformed("for=[::1]"));
        assert(malformed("x=a/b"));
}

static void test_quoted_strings_are_taken_apart(void)
{
        assert(client_is(HEADERS(RFC "for=\"192\\.0.2.\\1\""), "192.0.2.1"));
        assert(client_is(HEADERS(RFC "x=\"for=10.0.0.9, for=10.0.0.8;\";for=192.0.2.1"),
                         "192.0.2.1"));
        assert(client_is(HEADERS(RFC "x=\"\\\",for=10.0.0.9\";for=192.0.2.1"), "192.0.2.1"));
        assert(malformed("for=\""));
        assert(malformed("for=\"192.0.2.1"));
        assert(malformed("x=\"a"));
        assert(malformed("x=\"a\\"));
        assert(malformed("for=\"192.0.2.1\\"));
        assert(malformed("for=\"192.0.2.1\\\""));
        assert(malformed("for=\"192.0.2.1\"x"));
        assert(malformed("for=\"192.0.2.1\"\""));
        assert(malformed("for=192.0.2.1\""));
        assert(malformed("\"for\"=192.0.2.1"));
        assert(malformed("for='192.0.2.1:1'"));
}

static void test_quoted_string_longer_than_any_host_is_refused(void)
{
        char value[AUTHORITY_MAX + 2], pair[sizeof(value) + 8];

        memset(value, 'a', sizeof(value));
        value[AUTHORITY_MAX + 1] = '\0';
        (void)snprintf(pair, sizeof(pair), "x=\"%s\"", value + 1);
        assert(!malformed(pair));
        (void)snprintf(pair, sizeof(pair), "x=\"%s\"", value);
        assert(malformed(pair));
}

static void test_scheme_and_host_are_those_of_the_client_s_hop(void)
{
        assert(says(HEADERS(RFC "for=192.0.2.1;proto=https;host=a, for=10.0.0.1;proto=http;host=b"),
                    "192.0.2.1", "https", "a"));
        assert(says(HEADERS(RFC "for=10.0.0.9;proto=https;host=a, for=192.0.2.1;proto=http"),
                    "192.0.2.1", "http", ""));
        assert(says(HEADERS(RFC "for=192.0.2.9;proto=https;host=a, for=192.0.2.1"), "192.0.2.1", "",
                    ""));
        assert(says(HEADERS(RFC "for=_a;proto=https;host=a, for=10.0.0.1;proto=http;host=b"),
                    "10.0.0.1", "https", "a"));
        assert(says(HEADERS(RFC "for=10.0.0.1;proto=https, for=10.0.0.2;proto=http;host=b"),
                    "10.0.0.1", "https", ""));
}

static void test_both_kinds_complete_each_other(void)
{
        assert(says(HEADERS(FOR "192.0.2.1", RFC "for=unknown;proto=https;host=a"), "192.0.2.1",
                    "https", "a"));
        assert(says(HEADERS(PROTO "https", HOST "a", RFC "for=192.0.2.1"), "192.0.2.1", "https",
                    "a"));
        assert(says(HEADERS(FOR "::ffff:192.0.2.1, 10.0.0.1", PROTO "HTTPS", HOST "A",
                            RFC "for=192.0.2.1;proto=https;host=a"),
                    "192.0.2.1", "https", "A"));
}

static void test_both_kinds_may_not_contradict(void)
{
        assert(refused(HEADERS(FOR "192.0.2.1", RFC "for=192.0.2.2")));
        assert(refused(HEADERS(FOR "192.0.2.1", RFC "for=_a, for=10.0.0.1")));
        assert(refused(HEADERS(PROTO "https", RFC "proto=http")));
        assert(refused(HEADERS(HOST "a", RFC "host=b")));
        assert(refused(HEADERS(HOST "a", RFC "host=\"a:80\"")));
}

static bool too_many(const char *name, const char *element, int n)
{
        char header[1024];
        int at = snprintf(header, sizeof(header), "%s", name);

        for (int i = 0; i < n; i++)
                at += snprintf(header + at, sizeof(header) - (size_t)at, "%s%s", i ? "," : "",
                               element);
        return refused(HEADERS(header));
}

static void test_lists_are_bounded(void)
{
        static const char *const lists[][2] = {
                {FOR, "10.0.0.1"}, {PROTO, "http"}, {HOST, "a"}, {RFC, "for=10.0.0.1"}, {FOR, ""}};

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                assert(!too_many(lists[i][0], lists[i][1], 32));
                assert(too_many(lists[i][0], lists[i][1], 33));
        }
}

static void test_bound_is_that_of_all_fields(void)
{
        const char *seven = FOR "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1";
        const char *four = FOR "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1";

        assert(!refused(HEADERS(seven, seven, seven, seven, four)));
        assert(refused(HEADERS(seven, seven, seven, seven, four, FOR "10.0.0.1")));
}

int main(void)
{
        test_nothing_said_is_nothing_known();
        test_client_is_the_rightmost_that_is_not_trusted();
        test_client_is_the_leftmost_when_all_are_trusted();
        test_fields_of_a_name_are_joined_in_order();
        test_client_is_written_in_one_way();
        test_hidden_node_leaves_the_last_known_address();
        test_malformed_nodes_are_refused();
        test_empty_elements_say_nothing();
        test_scheme_is_http_or_https();
        test_host_is_an_authority();
        test_host_may_have_all_that_an_authority_has();
        test_lists_of_schemes_and_hosts_have_one_value();
        test_forwarded_element_has_pairs();
        test_quoted_strings_are_taken_apart();
        test_quoted_string_longer_than_any_host_is_refused();
        test_scheme_and_host_are_those_of_the_client_s_hop();
        test_both_kinds_complete_each_other();
        test_both_kinds_may_not_contradict();
        test_lists_are_bounded();
        test_bound_is_that_of_all_fields();
        return 0;
}
