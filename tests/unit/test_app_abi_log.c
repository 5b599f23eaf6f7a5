/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public log functions: what arrives at the journal, committed by a thread that does not own
 * the log. */
#include <appsrv/appsrv.h>

#include <pthread.h>

#include "app/extra.h"
#include "app/kind.h"
#include "test_log_journald.h"

#define BUFFER_SIZE (64 * 1024)

static char root[] = "/", name[] = "probe";

/* An application with a log, and the first entry that the journal got. */
struct scene {
        struct journald journald;
        struct entry entry;
        struct request request;
        struct app_config config;
        struct app_host host;
        struct app app;
        struct exchange exchange;
        appsrv_req *req;
        appsrv_ctx *ctx;
};

static struct scene *scene_begin(void)
{
        struct scene *scene = malloc(sizeof(*scene));
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL,
                .level = APPSRV_INFO,
                .buffer_size = BUFFER_SIZE,
        };

        assert(scene);
        *scene = (struct scene){.request = {.id = "0123"},
                                .config = {.name = name, .mount = root},
                                .host = {.subject = {.worker_pid = 77, .worker_id = 1}}};
        scene->app = (struct app){.config = &scene->config, .host = &scene->host};
        scene->exchange = (struct exchange){.request = &scene->request, .app = &scene->app};
        scene->req = (appsrv_req *)&scene->exchange;
        scene->ctx = (appsrv_ctx *)&scene->app;
        journald_start(&scene->journald);
        assert(log_open(&scene->host.log, &options) == 0);
        return scene;
}

static void scene_end(struct scene *scene)
{
        log_abandon(scene->host.log);
        journald_remove(&scene->journald);
        entry_free(&scene->entry);
        free(scene);
}

/* A call of appsrv_logv() on a thread of its own, as applications have them. */
struct call {
        struct scene *scene;
        int level;
        const appsrv_field *fields;
        size_t n;
        int result;
};

static void *run_call(void *arg)
{
        struct call *call = arg;

        call->result =
                appsrv_logv(call->scene->ctx, call->scene->req, call->level, call->fields, call->n);
        return NULL;
}

static void in_thread(void *(*function)(void *), void *arg)
{
        pthread_t thread;

        assert(pthread_create(&thread, NULL, function, arg) == 0);
        assert(pthread_join(thread, NULL) == 0);
}

static int logged(struct scene *scene, int level, const appsrv_field *fields, size_t n)
{
        struct call call = {.scene = scene, .level = level, .fields = fields, .n = n};

        in_thread(run_call, &call);
        return call.result;
}

/* Whether anything has arrived by now. */
static bool received(struct scene *scene)
{
        assert(log_ship(scene->host.log) == 0);
        return scene->entry.bytes ||
               journald_receive(&scene->journald, &scene->entry, MSG_DONTWAIT);
}

/* Whether the first entry has exactly this field; @value NULL: whether it lacks it. */
static bool arrived(struct scene *scene, const char *field_name, const char *value, size_t size)
{
        struct record_field field;
        unsigned n;

        assert(received(scene));
        n = entry_find(&scene->entry, field_name, &field);
        if (!value)
                return n == 0;
        return n == 1 && field.size == size && memcmp(field.value, value, size) == 0;
}

static bool arrived_text(struct scene *scene, const char *field_name, const char *value)
{
        return arrived(scene, field_name, value, value ? strlen(value) : 0);
}

static bool nothing_arrived(struct scene *scene)
{
        return !received(scene);
}

static void test_record_carries_the_application_request_and_fields(void)
{
        const appsrv_field fields[] = {
                {"MESSAGE", "line one\nPRIORITY=0\0end", 23},
                {"PROBE", "1", APPSRV_STRING},
                {"EMPTY", NULL, 0},
                {"CODE_FILE", "a.c", APPSRV_STRING},
                {"MESSAGE_ID", "0123456789abcdef0123456789ABCDEF", APPSRV_STRING},
        };
        struct scene *scene = scene_begin();

        assert(logged(scene, APPSRV_INFO, fields, 5) == 0);
        assert(arrived(scene, "MESSAGE", fields[0].value, 23));
        assert(arrived_text(scene, "PROBE", "1"));
        assert(arrived_text(scene, "EMPTY", ""));
        assert(arrived_text(scene, "CODE_FILE", "a.c"));
        assert(arrived_text(scene, "MESSAGE_ID", fields[4].value));
        assert(arrived_text(scene, "APP", "probe"));
        assert(arrived_text(scene, "REQUEST_ID", "0123"));
        assert(arrived_text(scene, "WORKER_PID", "77"));
        assert(arrived_text(scene, "EXTRA", NULL));
        scene_end(scene);
}

static int logged_name(struct scene *scene, const char *field_name, const char *value)
{
        const appsrv_field fields[] = {{"MESSAGE", "m", 1}, {field_name, value, APPSRV_STRING}};

        return logged(scene, APPSRV_INFO, fields, 2);
}

static void test_field_that_is_not_the_application_s_is_refused(void)
{
        struct scene *scene = scene_begin();

        assert(logged_name(scene, "lower", "1") == -EINVAL);
        assert(logged_name(scene, "_PID", "1") == -EINVAL);
        assert(logged_name(scene, "", "1") == -EINVAL);
        assert(logged_name(scene, NULL, "1") == -EINVAL);
        assert(logged_name(scene, "A=B", "1") == -EINVAL);
        assert(logged_name(scene, "APP", "other") == -EINVAL);
        assert(logged_name(scene, "PRIORITY", "0") == -EINVAL);
        assert(logged_name(scene, "EXTRA", "{}") == -EINVAL);
        assert(logged_name(scene, "MESSAGE_ID", "short") == -EINVAL);
        assert(logged_name(scene, "MESSAGE_ID", "0123456789abcdef0123456789abcdeg") == -EINVAL);
        assert(nothing_arrived(scene));
        scene_end(scene);
}

static void test_record_without_message_or_with_too_many_fields_is_refused(void)
{
        appsrv_field fields[APPSRV_FIELDS_MAX + 1];
        struct scene *scene = scene_begin();

        for (size_t i = 0; i < APPSRV_FIELDS_MAX + 1; i++)
                fields[i] = (appsrv_field){"A", "1", 1};
        assert(logged(scene, APPSRV_INFO, fields, 0) == -EINVAL);
        assert(logged(scene, APPSRV_INFO, fields, 1) == -EINVAL);
        fields[0] = (appsrv_field){"MESSAGE", NULL, 3};
        assert(logged(scene, APPSRV_INFO, fields, 1) == -EINVAL);
        fields[0] = (appsrv_field){"MESSAGE", "m", 1};
        assert(logged(scene, APPSRV_INFO, fields, APPSRV_FIELDS_MAX + 1) == -E2BIG);
        assert(nothing_arrived(scene));
        assert(logged(scene, APPSRV_INFO, fields, APPSRV_FIELDS_MAX) == 0);
        scene_end(scene);
}

static void test_level_is_judged_first(void)
{
        const appsrv_field fields[] = {{"MESSAGE", "m", 1}};
        struct scene *scene = scene_begin();

        assert(logged(scene, 1, fields, 1) == -EINVAL);
        assert(logged(scene, 8, fields, 1) == -EINVAL);
        assert(logged(scene, APPSRV_DEBUG, fields, 1) == 0);
        assert(nothing_arrived(scene));
        assert(appsrv_log_enabled(scene->ctx, APPSRV_INFO) == 1);
        assert(appsrv_log_enabled(scene->ctx, APPSRV_DEBUG) == 0);
        assert(appsrv_log_enabled(scene->ctx, -1) == 0);
        assert(appsrv_log_enabled(scene->ctx, 8) == 0);
        assert(logged(scene, APPSRV_CRIT, fields, 1) == 0);
        assert(arrived_text(scene, "PRIORITY", "2"));
        scene_end(scene);
}

static void test_record_that_is_too_large_says_so(void)
{
        static char message[BUFFER_SIZE];
        const appsrv_field fields[] = {{"MESSAGE", message, sizeof(message)}};
        struct scene *scene = scene_begin();

        assert(logged(scene, APPSRV_INFO, fields, 1) == -EMSGSIZE);
        scene_end(scene);
}

static void test_names_beyond_the_cap_go_into_extra(void)
{
        char names[FIELD_NAMES_MAX][8];
        appsrv_field fields[] = {{"MESSAGE", "m", 1},
                                 {"N0", "kept", APPSRV_STRING},
                                 {"LOGGER", "of the schema", APPSRV_STRING},
                                 {"MORE", "a\"b", APPSRV_STRING},
                                 {"MOST", "", APPSRV_STRING}};
        struct scene *scene = scene_begin();

        for (int i = 0; i < FIELD_NAMES_MAX; i++) {
                (void)snprintf(names[i], sizeof(names[i]), "N%d", i);
                assert(field_names_take(&scene->host.field_names, names[i]));
        }
        assert(logged(scene, APPSRV_INFO, fields, 5) == 0);
        assert(arrived_text(scene, "N0", "kept"));
        assert(arrived_text(scene, "LOGGER", "of the schema"));
        assert(arrived_text(scene, "MORE", NULL));
        assert(arrived_text(scene, "EXTRA", "{\"MORE\":\"a\\\"b\",\"MOST\":\"\"}"));
        scene_end(scene);
}

static void *log_short(void *arg)
{
        struct scene *scene = arg;

        assert(appsrv_log(scene->ctx, NULL, APPSRV_ERR, "%d of %s", 1, "two") == 0);
        return NULL;
}

static void test_log_formats_its_message(void)
{
        struct scene *scene = scene_begin();

        in_thread(log_short, scene);
        assert(arrived_text(scene, "MESSAGE", "1 of two"));
        assert(arrived_text(scene, "REQUEST_ID", NULL)); /* no request, no id */
        assert(arrived_text(scene, "CODE_FILE", NULL));
        scene_end(scene);
}

static void *log_long(void *arg)
{
        struct scene *scene = arg;

        assert(appsrv_log(scene->ctx, scene->req, APPSRV_ERR, "%05000d", 7) == 0);
        return NULL;
}

static void test_log_takes_a_long_message_whole(void)
{
        struct scene *scene = scene_begin();
        char message[5001];

        (void)snprintf(message, sizeof(message), "%05000d", 7);
        in_thread(log_long, scene);
        assert(arrived_text(scene, "MESSAGE", message));
        scene_end(scene);
}

static void *log_by_macro(void *arg)
{
        struct scene *scene = arg;
        int evaluated = 0;

        APPSRV_LOG(scene->req, APPSRV_DEBUG, "%d", ++evaluated);
        assert(evaluated == 0);
        APPSRV_LOG(scene->req, APPSRV_WARNING, "%d", ++evaluated);
        assert(evaluated == 1);
        return NULL;
}

static void test_log_macro_tells_the_place_and_evaluates_only_what_is_kept(void)
{
        struct scene *scene = scene_begin();

        in_thread(log_by_macro, scene);
        assert(arrived_text(scene, "MESSAGE", "1"));
        assert(arrived_text(scene, "CODE_FILE", __FILE__));
        assert(arrived_text(scene, "CODE_FUNC", "log_by_macro"));
        assert(!arrived_text(scene, "CODE_LINE", NULL));
        scene_end(scene);
}

int main(void)
{
        test_record_carries_the_application_request_and_fields();
        test_field_that_is_not_the_application_s_is_refused();
        test_record_without_message_or_with_too_many_fields_is_refused();
        test_level_is_judged_first();
        test_record_that_is_too_large_says_so();
        test_names_beyond_the_cap_go_into_extra();
        test_log_formats_its_message();
        test_log_takes_a_long_message_whole();
        test_log_macro_tells_the_place_and_evaluates_only_what_is_kept();
        return 0;
}
