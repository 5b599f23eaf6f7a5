/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions, driven through an exchange as a handler would. */
#include <appsrv/appsrv.h>

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "app/kind.h"

static char root[] = "/", shop[] = "/shop", name[] = "probe", key[] = "greeting", value[] = "hi";

/* A request as target_parse() leaves it, in an application that is mounted at @mount. */
struct scene {
        struct arena arena;
        struct header headers[3];
        struct request request;
        struct response response;
        struct app_key key;
        struct app_config config;
        struct app_host host;
        struct app app;
        struct exchange exchange;
        appsrv_req *req;
        appsrv_ctx *ctx;
};

static void scene_begin(struct scene *scene, char *mount, char *path)
{
        *scene = (struct scene){
                .headers = {{"Host", "h", 4, 1}, {"X-A", "1", 3, 1}, {"x-a", "22", 3, 2}},
                .request = {.method = "GET",
                            .target = "/shop/a%20b?x=1+2&y",
                            .target_size = 19,
                            .version = "HTTP/1.1",
                            .path = path,
                            .path_size = strlen(path),
                            .query = "x=1+2&y",
                            .query_size = 7,
                            .host = "h",
                            .scheme = "http",
                            .n_headers = 3,
                            .id = "abc",
                            .peer = "192.0.2.1"},
                .key = {.name = key, .value = value},
                .config = {.name = name, .mount = mount, .n_keys = 1},
                .host = {.subject = {.worker_id = 3}},
        };
        scene->request.headers = scene->headers;
        scene->config.keys = &scene->key;
        scene->app = (struct app){.config = &scene->config, .host = &scene->host};
        scene->exchange = (struct exchange){.request = &scene->request,
                                            .response = &scene->response,
                                            .arena = &scene->arena,
                                            .app = &scene->app};
        scene->req = (appsrv_req *)&scene->exchange;
        scene->ctx = (appsrv_ctx *)&scene->app;
}

static void scene_end(struct scene *scene)
{
        arena_free(&scene->arena);
}

static void test_process_functions_tell_version_features_worker_and_keys(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(strcmp(appsrv_version(), APPSRV_VERSION) == 0);
        assert(appsrv_has("concurrent") == 1 && appsrv_has("log-fields") == 1);
        assert(appsrv_has("stalls") == 1 && appsrv_has("time-travel") == 0);
        assert(appsrv_ctx_of(scene.req) == scene.ctx);
        assert(appsrv_worker_id(scene.ctx) == 3);
        assert(strcmp(appsrv_config(scene.ctx, "greeting"), "hi") == 0);
        assert(!appsrv_config(scene.ctx, "other"));
        scene_end(&scene);
}

static void expect_path(char *mount, char *path, const char *prefix, const char *below)
{
        struct scene scene;
        size_t size;

        scene_begin(&scene, mount, path);
        assert(strcmp(appsrv_prefix(scene.req, &size), prefix) == 0 && size == strlen(prefix));
        assert(strcmp(appsrv_path(scene.req, &size), below) == 0 && size == strlen(below));
        assert(appsrv_path(scene.req, NULL));
        scene_end(&scene);
}

static void test_path_is_what_is_below_the_mount(void)
{
        static char a[] = "/a", shop_slash[] = "/shop/", shop_a[] = "/shop/a";

        expect_path(root, root, "", "/");
        expect_path(root, a, "", "/a");
        expect_path(shop, shop, "/shop", "/");
        expect_path(shop, shop_slash, "/shop", "/");
        expect_path(shop, shop_a, "/shop", "/a");
}

static void test_request_functions_give_what_was_sent(void)
{
        struct scene scene;
        size_t size;

        scene_begin(&scene, root, shop);
        assert(strcmp(appsrv_method(scene.req), "GET") == 0);
        assert(strcmp(appsrv_target(scene.req, &size), "/shop/a%20b?x=1+2&y") == 0 && size == 19);
        assert(strcmp(appsrv_query(scene.req, &size), "x=1+2&y") == 0 && size == 7);
        assert(strcmp(appsrv_arg(scene.req, "x", &size), "1 2") == 0 && size == 3);
        assert(strcmp(appsrv_arg(scene.req, "y", NULL), "") == 0);
        size = 4711;
        assert(!appsrv_arg(scene.req, "z", &size) && size == 4711);
        assert(strcmp(appsrv_header(scene.req, "X-a", &size), "1") == 0 && size == 1);
        assert(!appsrv_header(scene.req, "X", NULL));
        scene_end(&scene);
}

static void test_info_knows_its_keys_only(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(strcmp(appsrv_info(scene.req, "id"), "abc") == 0);
        assert(strcmp(appsrv_info(scene.req, "scheme"), "http") == 0);
        assert(strcmp(appsrv_info(scene.req, "host"), "h") == 0);
        assert(strcmp(appsrv_info(scene.req, "peer"), "192.0.2.1") == 0);
        assert(strcmp(appsrv_info(scene.req, "version"), "HTTP/1.1") == 0);
        assert(!appsrv_info(scene.req, "tls"));
        scene_end(&scene);
}

static int count_pairs(void *arg, const char *header, size_t header_size, const char *text,
                       size_t text_size)
{
        int *left = arg;

        assert(strlen(header) == header_size && strlen(text) == text_size);
        return --*left == 0 ? 42 : 0;
}

static void test_headers_are_given_until_the_callback_says_stop(void)
{
        struct scene scene;
        int left = 2;

        scene_begin(&scene, root, root);
        assert(appsrv_headers(scene.req, count_pairs, &left) == 42 && left == 0);
        left = 10;
        assert(appsrv_headers(scene.req, count_pairs, &left) == 0 && left == 7);
        scene_end(&scene);
}

static void test_body_is_empty_or_whole(void)
{
        struct scene scene;
        size_t size;

        scene_begin(&scene, root, root);
        assert(strcmp(appsrv_body(scene.req, &size), "") == 0 && size == 0);
        scene.request.body = "a\0b";
        scene.request.body_size = 3;
        assert(memcmp(appsrv_body(scene.req, &size), "a\0b", 3) == 0 && size == 3);
        scene_end(&scene);
}

static void test_alloc_gives_zeroed_aligned_memory(void)
{
        struct scene scene;
        unsigned char *memory;

        scene_begin(&scene, root, root);
        memory = appsrv_alloc(scene.req, 5000);
        assert(memory && (uintptr_t)memory % alignof(max_align_t) == 0);
        for (size_t i = 0; i < 5000; i++)
                assert(memory[i] == 0);
        assert(appsrv_alloc(scene.req, 0));
        assert(!appsrv_alloc(scene.req, SIZE_MAX));
        scene_end(&scene);
}

static void test_send_copies_the_response_and_works_once(void)
{
        struct scene scene;
        char body[] = "a\0b";

        scene_begin(&scene, root, root);
        assert(appsrv_set(scene.req, "Content-Type", "x/y") == 0);
        assert(appsrv_add(scene.req, "Set-Cookie", "a=1") == 0);
        assert(appsrv_add(scene.req, "Set-Cookie", "b=2") == 0);
        assert(appsrv_send(scene.req, 201, "text/plain", body, 3) == 0);
        body[0] = 'x';
        assert(scene.response.status == 201 && scene.response.n_headers == 3);
        assert(scene.response.body_size == 3 && memcmp(scene.response.body, "a\0b", 3) == 0);
        assert(appsrv_send(scene.req, 200, NULL, NULL, 0) == -EALREADY);
        assert(appsrv_set(scene.req, "X", "1") == -EALREADY);
        assert(appsrv_add(scene.req, "X", "1") == -EALREADY);
        assert(appsrv_status(scene.req, 200) == -EALREADY);
        assert(scene.response.status == 201);
        scene_end(&scene);
}

static void test_send_with_0_uses_the_status_that_was_set(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(appsrv_status(scene.req, 404) == 0);
        assert(appsrv_status(scene.req, 199) == -EINVAL);
        assert(appsrv_status(scene.req, 600) == -EINVAL);
        assert(scene.response.status == 0); /* nothing is answered by it */
        assert(appsrv_send(scene.req, 0, NULL, NULL, 0) == 0);
        assert(scene.response.status == 404);
        scene_end(&scene);
        scene_begin(&scene, root, root);
        assert(appsrv_send(scene.req, 0, NULL, NULL, 0) == 0);
        assert(scene.response.status == 200);
        scene_end(&scene);
}

static void test_send_that_fails_leaves_everything_as_it_was(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(appsrv_set(scene.req, "Content-Type", "x/y") == 0);
        assert(appsrv_send(scene.req, 100, NULL, NULL, 0) == -EINVAL);
        assert(appsrv_send(scene.req, 600, NULL, NULL, 0) == -EINVAL);
        assert(appsrv_send(scene.req, -5, NULL, NULL, 0) == -EINVAL);
        assert(appsrv_send(scene.req, 204, NULL, "x", 1) == -EINVAL);
        assert(appsrv_send(scene.req, 205, NULL, "x", 1) == -EINVAL);
        assert(appsrv_send(scene.req, 304, NULL, "x", 1) == -EINVAL);
        assert(appsrv_send(scene.req, 200, "text/plain\r\nX: y", "x", 1) == -EINVAL);
        assert(scene.response.status == 0 && scene.response.body_size == 0);
        assert(strcmp(scene.response.headers[0].value, "x/y") == 0);
        assert(appsrv_send(scene.req, 204, NULL, NULL, 0) == 0);
        scene_end(&scene);
}

static void test_set_refuses_what_could_forge_a_header(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(appsrv_set(scene.req, "X", "a\r\nY: b") == -EINVAL);
        assert(appsrv_add(scene.req, "Content-Length", "5") == -EINVAL);
        assert(scene.response.n_headers == 0);
        scene_end(&scene);
}

static uint64_t left = 1500;

static uint64_t time_left(void *data)
{
        assert(data == &left);
        return left;
}

static int extend(void *data, uint64_t usec)
{
        assert(data == &left);
        if (usec > 5000)
                return -ERANGE;
        left = usec;
        return 0;
}

static void test_deadline_is_seen_and_extended(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(appsrv_has("deadline") == 1);
        assert(appsrv_time_left(scene.req) == INT64_MAX && appsrv_extend(scene.req, 1) == 0);
        scene.exchange.time_left = time_left;
        scene.exchange.extend = extend;
        scene.exchange.news_data = &left;
        assert(appsrv_time_left(scene.req) == 1500);
        assert(appsrv_extend(scene.req, 0) == -EINVAL && appsrv_extend(scene.req, -1) == -EINVAL);
        assert(appsrv_extend(scene.req, 5001) == -ERANGE && appsrv_time_left(scene.req) == 1500);
        assert(appsrv_extend(scene.req, 5000) == 0 && appsrv_time_left(scene.req) == 5000);
        left = UINT64_MAX;
        assert(appsrv_time_left(scene.req) == INT64_MAX);
        scene_end(&scene);
}

static int client = APPSRV_CLIENT_THERE;

static int look(void *data)
{
        assert(data == &client);
        return client;
}

static void test_client_is_looked_at_until_nobody_waits(void)
{
        struct scene scene;

        scene_begin(&scene, root, root);
        assert(appsrv_has("client") == 1);
        assert(appsrv_client(scene.req) == APPSRV_CLIENT_THERE);
        scene.exchange.client = look;
        scene.exchange.news_data = &client;
        client = APPSRV_CLIENT_CLOSED;
        assert(appsrv_client(scene.req) == APPSRV_CLIENT_CLOSED);
        client = APPSRV_CLIENT_THERE; /* but he has got another answer */
        scene.exchange.abandoned = true;
        assert(appsrv_client(scene.req) == APPSRV_CLIENT_GONE);
        scene_end(&scene);
}

int main(void)
{
        test_client_is_looked_at_until_nobody_waits();
        test_deadline_is_seen_and_extended();
        test_process_functions_tell_version_features_worker_and_keys();
        test_path_is_what_is_below_the_mount();
        test_request_functions_give_what_was_sent();
        test_info_knows_its_keys_only();
        test_headers_are_given_until_the_callback_says_stop();
        test_body_is_empty_or_whole();
        test_alloc_gives_zeroed_aligned_memory();
        test_send_copies_the_response_and_works_once();
        test_send_with_0_uses_the_status_that_was_set();
        test_send_that_fails_leaves_everything_as_it_was();
        test_set_refuses_what_could_forge_a_header();
        return 0;
}
