/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applications of any kind: which kinds there are, and what the worker does with an application
 * without knowing its kind. app_handle() runs on application threads, the rest on the thread that
 * owns the process.
 */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "app/kind.h"
#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/thread.h"

#define APP_NAME_MAX 32

static const struct kind *const kinds[] = {
        &kind_native,
        &kind_cgi,
        &kind_static,
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *find_kind(const char *name)
{
        for (size_t i = 0; i < N_KINDS; i++) {
                if (strcmp(kinds[i]->name, name) == 0)
                        return kinds[i];
        }
        return plugin_there(name) ? &kind_plugin : NULL;
}

static int unknown_kind(const struct app_config *config, struct problems *problems)
{
        const struct origin *where =
                config->origins.type.file ? &config->origins.type : &config->origin;
        const char *names[N_KINDS], *nearest;

        for (size_t i = 0; i < N_KINDS; i++)
                names[i] = kinds[i]->name;
        nearest = nearest_name(config->type, names, N_KINDS);
        if (!nearest)
                return problems_add(problems, where,
                                    "[app %s] type: '%s' is no kind of application and no "
                                    "plug-in that is installed, '%s' is",
                                    config->name, config->type, names[0]);
        return problems_add(problems, where,
                            "[app %s] type: '%s' is no kind of application, did you mean '%s'?",
                            config->name, config->type, nearest);
}

static int check_app(const struct app_config *config, struct problems *problems)
{
        const struct kind *kind = find_kind(config->type);

        if (*config->type == '\0')
                return -EINVAL; /* a missing type was told by who read the file */
        if (!kind)
                return unknown_kind(config, problems);
        return kind->check ? kind->check(config, problems) : 0;
}

int apps_check(const struct config *config, struct problems *problems)
{
        int result = 0;

        for (size_t i = 0; i < config->n_apps; i++) {
                int r = check_app(&config->apps[i], problems);

                result = r < 0 ? r : result;
        }
        return result;
}

int app_load(struct app **ret, const struct app_config *config, struct app_host *host,
             struct problems *problems)
{
        const struct kind *kind = find_kind(config->type);
        struct app *app;
        int r = check_app(config, problems);

        if (r < 0 || !kind)
                return r;
        app = calloc(1, sizeof(*app));
        if (!app)
                return -ENOMEM;

        *app = (struct app){.kind = kind, .config = config, .host = host};
        r = kind->load ? kind->load(app, problems) : 0;
        if (r < 0) {
                free(app);
                return r;
        }
        *ret = app;
        return 0;
}

void app_free(struct app *app)
{
        if (!app)
                return;
        if (app->kind->unload)
                app->kind->unload(app);
        free(app);
}

int app_start(struct app *app)
{
        int r = app->kind->start ? app->kind->start(app) : 0;

        return r < 0 ? r : 0;
}

bool app_preloads(const struct app *app)
{
        return app->kind->preloads && app->kind->preloads(app);
}

int app_fork(struct app *app, int when)
{
        int r = app->kind->fork(app, when);

        return r < 0 ? r : 0;
}

bool app_can_stall(const struct app *app)
{
        return app->kind->can_stall && app->kind->can_stall(app);
}

bool app_stalls(struct app *app)
{
        return app->kind->stalls(app);
}

bool app_is_plugin(const struct app *app)
{
        return app->kind == &kind_plugin;
}

const char *app_refusal(const struct app *app)
{
        return app->refusal;
}

const struct origin *app_refusal_origin(const struct app *app)
{
        const struct app_config *config = app->config;
        size_t size = strcspn(app->refusal, ":");

        for (size_t i = 0; i < config->n_keys; i++) {
                const struct app_key *key = &config->keys[i];

                if (app->refusal[size] == ':' && strlen(key->name) == size &&
                    memcmp(key->name, app->refusal, size) == 0)
                        return &key->origin;
        }
        return &config->origin;
}

void app_stop(struct app *app)
{
        if (app->kind->stop)
                app->kind->stop(app);
}

const char *app_name(const struct app *app)
{
        return app->config->name;
}

bool app_concurrent(const struct app *app)
{
        return app->kind->concurrent ? app->kind->concurrent(app) : true;
}

enum body_wish app_body_wish(const struct app *app)
{
        return app->kind->body_wish ? app->kind->body_wish(app) : BODY_GATHERED;
}

void app_record(struct record *record, const struct app *app, const struct exchange *exchange,
                int priority)
{
        record_init(record, RECORD_APP, priority);
        record_subject(record, &app->host->subject);
        record_string(record, "APP", app_name(app));
        if (exchange && exchange->request->id[0])
                record_string(record, "REQUEST_ID", exchange->request->id);
        record_number(record, "THREAD", (uint64_t)own_thread());
}

static const char *failure_text(int result)
{
        const char *text;

        if (result >= 0)
                return "it returned without a response";
        text = strerrordesc_np(-result);
        return text ? text : "unknown error";
}

static void record_failure(const struct exchange *exchange, int result, const char *what)
{
        enum { PRIORITY_ERROR = 3 };
        const struct app *app = exchange->app;
        struct record record;

        if (result == -ECANCELED)
                return;
        app_record(&record, app, exchange, PRIORITY_ERROR);
        record_format(&record, "MESSAGE", "handler failed: %s", what);
        (void)log_commit(app->host->log, &record); /* dropped means counted */
}

/* Once the head has left, all that can be said to the client is that the rest does not come. */
static void end_stream(struct exchange *exchange, int result)
{
        size_t size = exchange->response->body_size;
        bool short_of = size != RESPONSE_SIZE_UNKNOWN && exchange->written < size;

        /* Nobody is there any more who could be told that it failed: that is not its failure. */
        if (result < 0 && result != -EPIPE)
                record_failure(exchange, result, failure_text(result));
        else if (short_of && result >= 0)
                record_failure(exchange, result, "it wrote less than it had announced");
        stream_end(exchange->stream, result < 0 || short_of ? -EIO : 0);
}

void app_abandon(struct exchange *exchange)
{
        int alarm;

        atomic_store(&exchange->abandoned, true);
        alarm = atomic_load(&exchange->alarm);
        if (alarm > 0)
                (void)eventfd_write(alarm, 1);
}

bool app_is_abandonable(const struct app *app)
{
        return app->kind->abandonable;
}

void app_handle(struct exchange *exchange)
{
        int r = exchange->app->kind->handle(exchange);
        bool client_left = r == -EPIPE && (exchange->intake || exchange->abandoned);

        stream_break(exchange->intake);
        if (exchange->stream) {
                end_stream(exchange, r);
        } else if (r < 0 || (exchange->response->status == 0 && !exchange->redirect)) {
                /* The client learns no more than that it failed; the record names the request. */
                if (!client_left)
                        record_failure(exchange, r, failure_text(r));
                response_error(exchange->response, exchange->arena, 500, NULL);
        }
}

/* A section's name holds a-z, 0-9 and '-'. */
static char name_byte(char byte)
{
        if (byte >= 'A' && byte <= 'Z')
                return (char)(byte + ('a' - 'A'));
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9'))
                return byte;
        return '-';
}

static void make_name(char name[static APP_NAME_MAX + 1], const char *text, const char *end)
{
        size_t size = 0;

        while (text < end && size < APP_NAME_MAX)
                name[size++] = name_byte(*text++);
        name[size] = '\0';
}

/* A name for the section of a file: the file's without its folder and ".so". */
static void name_of_file(char name[static APP_NAME_MAX + 1], const char *file)
{
        const char *slash = strrchr(file, '/');
        const char *base = slash ? slash + 1 : file;
        const char *end = base + strlen(base);

        if (end - base > 3 && strcmp(end - 3, ".so") == 0)
                end -= 3;
        if (end == base) {
                base = "root";
                end = base + strlen(base);
        }
        make_name(name, base, end);
}

/* "pkg.mod:app", as of Gunicorn: no file has such a name. */
static int app_of_module(struct config *config, const char *target, const char *colon,
                         struct problems *problems)
{
        static const char kind[] = "wsgi";
        char name[APP_NAME_MAX + 1];

        if (!plugin_there(kind))
                return problems_add(problems, NULL,
                                    "%s: applications in Python need the plug-in '%s', which is "
                                    "not installed",
                                    target, kind);
        make_name(name, target, colon);
        return config_add_app(config, name, kind, "/", "module", target);
}

/* Whether all files of a folder can be executed, and there are any: no folder of pages is so. */
static bool has_programs(const char *folder)
{
        DIR *stream = opendir(folder);
        const struct dirent *entry;
        bool any = false, all = true;

        while (stream && all && (entry = readdir(stream))) {
                struct stat status;

                if (entry->d_name[0] == '.' ||
                    fstatat(dirfd(stream), entry->d_name, &status, 0) < 0 ||
                    !S_ISREG(status.st_mode))
                        continue;
                any = true;
                all = status.st_mode & 0111;
        }
        if (stream)
                (void)closedir(stream);
        return any && all;
}

int app_of_target(struct config *config, const char *target, struct problems *problems)
{
        _cleanup_free_ char *file = realpath(target, NULL);
        int error = errno;
        const char *colon = strchr(target, ':');
        char name[APP_NAME_MAX + 1];
        struct stat status;

        if (!file && error == ENOMEM)
                return -ENOMEM;
        if (!file && colon && colon > target && !strchr(target, '/'))
                return app_of_module(config, target, colon, problems);
        if (!file)
                return problems_add(problems, NULL,
                                    "%s: %s; expected the file of a native application, such as "
                                    "./hello.so, a folder, or MODULE:NAME in Python",
                                    target, strerrordesc_np(error));
        name_of_file(name, file);
        if (stat(file, &status) == 0 && S_ISDIR(status.st_mode))
                return config_add_app(config, name,
                                      (has_programs(file) ? &kind_cgi : &kind_static)->name, "/",
                                      "root", file);
        if (stat(file, &status) < 0 || !S_ISREG(status.st_mode))
                return problems_add(problems, NULL,
                                    "%s: neither a file nor a folder; expected the file of a "
                                    "native application, such as ./hello.so, a folder, or "
                                    "MODULE:NAME in Python",
                                    target);

        return config_add_app(config, name, kind_native.name, "/", "path", file);
}
