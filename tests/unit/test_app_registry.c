/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applications whatever their kind: with one of the test's own, so that no code is loaded. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/kind.h"

static char root[] = "/", name[] = "probe", path[] = "path", empty[] = "", file[] = "a.so";
static char native[] = "native", natvie[] = "natvie", cobol[] = "cobol";

static bool told(const struct problems *problems, const char *text)
{
        for (size_t i = 0; i < problems->n; i++) {
                if (strstr(problems->texts[i], text))
                        return true;
        }
        return false;
}

/* Check one section of a type with at most one key. Return: whether it is well. */
static bool checked(char *type, struct app_key *key, const char *expected_problem)
{
        struct app_config app = {.name = name,
                                 .type = type,
                                 .mount = root,
                                 .origin = {.file = "a.ini", .line = 3},
                                 .keys = key,
                                 .n_keys = key ? 1 : 0};
        struct config config = {.apps = &app, .n_apps = 1};
        struct problems problems = {0};
        int r = apps_check(&config, &problems);

        assert((r == 0) == (problems.n == 0) && (r == 0 || r == -EINVAL));
        assert(!expected_problem || told(&problems, expected_problem));
        problems_free(&problems);
        return r == 0;
}

static void test_check_wants_a_known_kind_and_its_keys(void)
{
        struct app_key key = {.name = path, .value = file, .origin = {.file = "a.ini", .line = 5}};
        struct app_key nothing = {.name = path, .value = empty, .origin = key.origin};

        assert(checked(native, &key, NULL));
        assert(!checked(natvie, &key, "did you mean 'native'?"));
        assert(!checked(natvie, &key, "a.ini:3: [app probe] type"));
        assert(!checked(cobol, &key, "'cobol' is no kind"));
        assert(!checked(native, NULL, "a.ini:3: [app probe] path: missing"));
        assert(!checked(native, &nothing, "a.ini:5: [app probe] path: empty"));
}

static int handle_result;
static int handle_status;

static int handle(struct exchange *exchange)
{
        if (handle_status != 0)
                exchange->response->status = handle_status;
        return handle_result;
}

#define BUFFER_SIZE LOG_BUFFER_MIN

static const struct kind fake = {.name = "fake", .handle = handle};

static void *run_handle(void *exchange)
{
        app_handle(exchange);
        return NULL;
}

/*
 * Whether the only record in a log's memory has a field; @field NULL: whether there is no record.
 */
static bool recorded(const void *memory, const char *field)
{
        const char *wanted = field ? field : "MESSAGE=";

        return !field == !memmem(memory, log_memory_size(BUFFER_SIZE), wanted, strlen(wanted));
}

/*
 * What app_handle() makes of a handler's result and the status that it answered with, and which
 * field it records. On a thread of its own, as in a worker: only the owner of a log ships, so the
 * record stays in memory.
 */
static int status_after(int result, int status, const char *field)
{
        struct app_config config = {.name = name, .mount = root};
        struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = BUFFER_SIZE};
        struct app_host host = {0};
        struct app app = {.kind = &fake, .config = &config, .host = &host};
        struct request request = {.id = "0123"};
        struct response response = {0};
        struct arena arena = {0};
        struct exchange exchange = {
                .request = &request, .response = &response, .arena = &arena, .app = &app};
        pthread_t thread;

        options.memory = calloc(1, log_memory_size(BUFFER_SIZE));
        assert(options.memory && log_open(&host.log, &options) == 0);
        handle_result = result;
        handle_status = status;
        assert(pthread_create(&thread, NULL, run_handle, &exchange) == 0);
        assert(pthread_join(thread, NULL) == 0);
        assert(recorded(options.memory, field));
        assert(!field || recorded(options.memory, "\nREQUEST_ID=0123\n"));
        assert(!field || recorded(options.memory, "\nAPP=probe\n"));
        log_abandon(host.log);
        free(options.memory);
        arena_free(&arena);
        return response.status;
}

static void test_handle_leaves_an_answer_alone(void)
{
        assert(status_after(0, 200, NULL) == 200);
        assert(status_after(1, 404, NULL) == 404);
}

static void test_handle_answers_and_records_for_a_handler_that_failed(void)
{
        assert(status_after(0, 0, "MESSAGE=handler failed: it returned without a response\n") ==
               500);
        assert(status_after(-EIO, 0, "MESSAGE=handler failed: Input/output error\n") == 500);
        assert(status_after(-EIO, 200, "PRIORITY=3\n") == 500);
        assert(status_after(-123456, 0, "MESSAGE=handler failed: unknown error\n") == 500);
}

static void test_kind_without_functions_has_nothing_to_do(void)
{
        struct app_config config = {.name = name, .mount = root};
        struct app app = {.kind = &fake, .config = &config};

        assert(app_start(&app) == 0);
        app_stop(&app);
        app_free(NULL);
        assert(strcmp(app_name(&app), "probe") == 0);
        assert(app_concurrent(&app));
}

static void test_target_that_is_no_file_is_a_problem_that_helps(void)
{
        struct problems problems = {0};
        struct config config = {0};

        assert(app_of_target(&config, "/nonexistent/hello.so", &problems) == -EINVAL);
        assert(told(&problems, "/nonexistent/hello.so: No such file or directory"));
        assert(app_of_target(&config, "/dev/null", &problems) == -EINVAL);
        assert(told(&problems, "/dev/null: neither a file nor a folder"));
        assert(told(&problems, "./hello.so"));
        assert(config.n_apps == 0);
        problems_free(&problems);
}

/* Any file will do, this program for one. */
static void test_target_that_is_a_file_is_a_native_application_at_the_root(void)
{
        struct config_source nothing = {0};
        struct problems problems = {0};
        struct config *config = NULL;

        assert(config_load(&config, &nothing, &problems) == 0);
        assert(app_of_target(config, "/proc/self/exe", &problems) == 0);
        assert(config->n_apps == 1 && strcmp(config->apps[0].type, "native") == 0);
        assert(strcmp(config->apps[0].mount, "/") == 0);
        assert(strspn(config->apps[0].name, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
               strlen(config->apps[0].name));
        assert(app_config_get(&config->apps[0], "path")[0] == '/');
        config_free(config);
        problems_free(&problems);
}

static void check_folder(const char *target, const char *name_expected)
{
        struct config_source nothing = {0};
        struct problems problems = {0};
        struct config *config = NULL;

        assert(config_load(&config, &nothing, &problems) == 0);
        assert(app_of_target(config, target, &problems) == 0);
        assert(config->n_apps == 1 && strcmp(config->apps[0].type, "static") == 0);
        assert(strcmp(config->apps[0].name, name_expected) == 0);
        assert(strcmp(app_config_get(&config->apps[0], "root"), target) == 0);
        config_free(config);
        problems_free(&problems);
}

static void test_target_that_is_a_folder_is_served_as_files_unless_all_are_programs(void)
{
        check_folder("/", "root");
        check_folder("/etc", "etc");
}

int main(void)
{
        test_check_wants_a_known_kind_and_its_keys();
        test_handle_leaves_an_answer_alone();
        test_handle_answers_and_records_for_a_handler_that_failed();
        test_kind_without_functions_has_nothing_to_do();
        test_target_that_is_no_file_is_a_problem_that_helps();
        test_target_that_is_a_file_is_a_native_application_at_the_root();
        test_target_that_is_a_folder_is_served_as_files_unless_all_are_programs();
        return 0;
}
