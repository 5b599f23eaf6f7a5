/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/response.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;

static const char *value_of(const struct response *response, const char *name)
{
        for (size_t i = 0; i < response->n_headers; i++) {
                if (header_is(&response->headers[i], name))
                        return response->headers[i].value;
        }
        return NULL;
}

static void test_set_replaces_and_add_does_not(void)
{
        struct response response = {0};

        assert(response_add_header(&response, &arena, "X-A", "1") == 0);
        assert(response_add_header(&response, &arena, "x-a", "22") == 0);
        assert(response.n_headers == 2 && response.head_size == 8 + 9);
        assert(response_set_header(&response, &arena, "X-a", "333") == 0);
        assert(response.n_headers == 1 && response.head_size == 10);
        assert(strcmp(value_of(&response, "X-A"), "333") == 0);
}

static void test_header_that_could_forge_another_is_refused(void)
{
        struct response response = {0};

        assert(response_set_header(&response, &arena, "X", "a\r\nY: b") == -EINVAL);
        assert(response_set_header(&response, &arena, "X", "a\n") == -EINVAL);
        assert(response_set_header(&response, &arena, "X", "a\x01") == -EINVAL);
        assert(response_set_header(&response, &arena, "X: a", "b") == -EINVAL);
        assert(response_set_header(&response, &arena, "", "b") == -EINVAL);
        assert(response_set_header(&response, &arena, "X", "a\tb \xc3\xa9") == 0);
        assert(response.n_headers == 1);
}

static void test_header_of_the_server_is_refused(void)
{
        static const char *const names[] = {
                "Connection", "Keep-Alive",   "Transfer-Encoding", "content-length",
                "Date",       "Server",       "Upgrade",           "Trailer",
                "TE",         "x-request-id",
        };
        struct response response = {0};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert(response_set_header(&response, &arena, names[i], "x") == -EINVAL);
        assert(response.n_headers == 0);
}

static void test_header_beyond_the_number_is_refused(void)
{
        struct response response = {0};

        for (size_t i = 0; i < RESPONSE_HEADERS_MAX; i++)
                assert(response_add_header(&response, &arena, "X", "1") == 0);
        assert(response_add_header(&response, &arena, "X", "1") == -E2BIG);
        assert(response_set_header(&response, &arena, "Y", "1") == -E2BIG);
        assert(response_set_header(&response, &arena, "X", "1") == 0); /* makes room */
        assert(response.n_headers == 1);
}

static void test_header_beyond_the_size_is_refused(void)
{
        static char value[RESPONSE_HEAD_MAX];
        struct response response = {0};

        memset(value, 'v', sizeof(value) - 1);
        assert(response_set_header(&response, &arena, "X", value) == -E2BIG);
        value[RESPONSE_HEAD_MAX - 5] = '\0'; /* with "X: " and CR LF exactly the limit */
        assert(response_set_header(&response, &arena, "X", value) == 0);
        assert(response.head_size == RESPONSE_HEAD_MAX);
        assert(response_add_header(&response, &arena, "Y", "") == -E2BIG);
        assert(response_set_header(&response, &arena, "X", value) == 0); /* replaces itself */
}

static void test_body_is_copied(void)
{
        struct response response = {0};
        char body[] = "a\0b";

        assert(response_set_body(&response, &arena, body, 3) == 0);
        body[0] = 'x';
        assert(response.body_size == 3 && memcmp(response.body, "a\0b", 3) == 0);
}

static void test_error_discards_what_there_was(void)
{
        struct response response = {.status = 200};

        assert(response_set_header(&response, &arena, "X", "1") == 0);
        assert(response_set_body(&response, &arena, "secret", 6) == 0);
        response_error(&response, &arena, 404, NULL);
        assert(response.status == 404 && response.n_headers == 1 && !value_of(&response, "X"));
        assert(strcmp(value_of(&response, "Content-Type"), "text/plain; charset=utf-8") == 0);
        assert(strcmp(response.body, "404 Not Found\n") == 0);
        assert(response.body_size == strlen(response.body));
}

static void test_error_tells_the_reason_and_what_is_allowed(void)
{
        struct response response = {0};

        response_error(&response, &arena, 405, "TRACE is not offered");
        assert(strcmp(response.body, "405 Method Not Allowed\nTRACE is not offered\n") == 0);
        assert(strstr(value_of(&response, "Allow"), "GET"));
}

static void test_error_with_an_endless_reason_still_answers(void)
{
        static char reason[4096];
        struct response response = {0};

        memset(reason, 'r', sizeof(reason) - 1);
        response_error(&response, &arena, 400, reason);
        assert(strcmp(response.body, "Bad Request") == 0);
        assert(response.body_size == strlen(response.body));
}

static void test_status_phrase_knows_the_registered(void)
{
        assert(strcmp(status_phrase(200), "OK") == 0);
        assert(strcmp(status_phrase(404), "Not Found") == 0);
        assert(strcmp(status_phrase(299), "Unknown") == 0);
}

static int open_something(void)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert(fd >= 0);
        return fd;
}

static bool closed(int fd)
{
        return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

static void test_file_belongs_to_the_response_until_it_is_taken(void)
{
        struct response response = {0};
        int fd = open_something();

        assert(response_take_file(&response) == -1);
        response_drop_file(&response);
        assert(response_set_file(&response, fd, 5, 10) == 0);
        assert(response.file_offset == 5 && response.body_size == 10);
        assert(response_take_file(&response) == fd && response_take_file(&response) == -1);
        response_drop_file(&response);
        assert(!closed(fd));
        assert(response_set_file(&response, fd, 0, 0) == 0);
        response_drop_file(&response);
        assert(closed(fd) && !response.has_file);
}

static void test_another_body_closes_the_file(void)
{
        struct response response = {0};
        int fd = open_something();

        assert(response_set_file(&response, fd, 5, 10) == 0);
        assert(response_set_body(&response, &arena, "x", 1) == 0);
        assert(closed(fd) && !response.has_file && response.body_size == 1);
        fd = open_something();
        assert(response_set_file(&response, fd, 5, 10) == 0);
        response_error(&response, &arena, 404, NULL);
        assert(closed(fd) && !response.has_file);
}

int main(void)
{
        test_set_replaces_and_add_does_not();
        test_header_that_could_forge_another_is_refused();
        test_header_of_the_server_is_refused();
        test_header_beyond_the_number_is_refused();
        test_header_beyond_the_size_is_refused();
        test_body_is_copied();
        test_error_discards_what_there_was();
        test_error_tells_the_reason_and_what_is_allowed();
        test_error_with_an_endless_reason_still_answers();
        test_status_phrase_knows_the_registered();
        test_file_belongs_to_the_response_until_it_is_taken();
        test_another_body_closes_the_file();
        arena_free(&arena);
        return 0;
}
