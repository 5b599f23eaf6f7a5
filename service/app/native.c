/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Native applications: shared objects that keep to appsrv.h; and plug-ins, which are the same under
 * a name that serves as a type. The only file that loads code, so it runs in workers and in the
 * child of `appsrv check`, never in the master; native_check() and plugin_there() run anywhere.
 */
#include <appsrv/appsrv.h>

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/kind.h"
#include "base/cleanup.h"
#include "base/nearest.h"

#define ENTRY_POINT "appsrv_app_main"

/*
 * Descriptions only grow: no appsrv has had a smaller one, and one above is no description at all.
 */
#define DESCRIPTION_MIN (offsetof(appsrv_app, stop) + sizeof(((appsrv_app *)NULL)->stop))
#define DESCRIPTION_MAX 4096

#define KNOWN_FLAGS (APPSRV_F_CONCURRENT | APPSRV_F_STREAM_BODY | APPSRV_F_ASK_BODY)

struct native {
        void *library;
        appsrv_app description; /* members that the application's does not have are 0 */
        void *self;
};

typedef const appsrv_app *(*entry_function)(uint32_t host_abi);

static const struct app_key *find_key(const struct app_config *config, const char *name)
{
        for (size_t i = 0; i < config->n_keys; i++) {
                if (strcmp(config->keys[i].name, name) == 0)
                        return &config->keys[i];
        }
        return NULL;
}

/* What of the configuration names the shared object. */
struct object_name {
        const char *key;
        const char *value;
        const struct origin *origin;
};

static struct object_name object_of(const struct app *app)
{
        const struct app_config *config = app->config;
        const struct app_key *path = find_key(config, "path");

        if (app->kind == &kind_plugin)
                return (struct object_name){"type", config->type,
                                            config->origins.type.file ? &config->origins.type
                                                                      : &config->origin};
        return (struct object_name){"path", path->value, &path->origin};
}

static int native_check(const struct app_config *config, struct problems *problems)
{
        const struct app_key *path = find_key(config, "path");

        if (!path)
                return problems_add(problems, &config->origin,
                                    "[app %s] path: missing, a native application needs it: its "
                                    "shared object",
                                    config->name);
        if (!path->value[0])
                return problems_add(problems, &path->origin, "[app %s] path: empty", config->name);
        return 0;
}

/* Where plug-ins are: installed in their own folder, in a build tree beside the executable. */
static void plugin_folder(char folder[static PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
        char *slash;

        folder[n > 0 ? n : 0] = '\0';
        slash = strrchr(folder, '/');
        if (slash)
                *slash = '\0';
        if (!slash || strcmp(folder, APPSRV_BINDIR) == 0)
                (void)snprintf(folder, PATH_MAX, "%s", APPSRV_PLUGINDIR);
}

static bool ends_with(const char *text, const char *end)
{
        size_t size = strlen(text), end_size = strlen(end);

        return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/*
 * The file that `path` means; the caller frees it. Always with a slash: without one dlopen() would
 * search the system.
 */
static int resolve_path(char **ret, const struct app_config *config, const char *path)
{
        char folder[PATH_MAX];
        int n;

        if (path[0] == '/') {
                n = asprintf(ret, "%s", path);
        } else if (strchr(path, '/')) {
                n = asprintf(ret, "%s/%s", config->directory, path);
        } else {
                plugin_folder(folder);
                n = asprintf(ret, "%s/%s%s", folder, path, ends_with(path, ".so") ? "" : ".so");
        }
        if (n >= 0)
                return 0;
        *ret = NULL;
        return -ENOMEM;
}

bool plugin_there(const char *name)
{
        static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
        char folder[PATH_MAX];
        _cleanup_free_ char *file = NULL;

        if (name[0] == '\0' || name[strspn(name, bytes)] != '\0')
                return false;
        plugin_folder(folder);
        if (asprintf(&file, "%s/%s.so", folder, name) < 0) {
                file = NULL; /* undefined by then */
                return false;
        }
        return access(file, R_OK) == 0;
}

/* What a newer application sets beyond what we know would be ignored, so it is refused. */
static bool tail_set(const appsrv_app *description)
{
        const char *bytes = (const char *)description;

        for (size_t i = sizeof(*description); i < description->size; i++) {
                if (bytes[i] != 0)
                        return true;
        }
        return false;
}

/*
 * Why a description cannot be used; NULL when it can. Reads size and abi before anything that
 * depends on them.
 */
static const char *description_fault(const appsrv_app *description)
{
        if (!description)
                return "it needs a newer appsrv: " ENTRY_POINT "() refused this one";
        if (description->abi != APPSRV_ABI)
                return "it was built for another ABI of appsrv; build it again";
        if (description->size < DESCRIPTION_MIN || description->size > DESCRIPTION_MAX)
                return "its description has an impossible size";
        if (tail_set(description))
                return "it needs a newer appsrv: it sets members that this one does not know";
        if (description->flags & ~KNOWN_FLAGS)
                return "it needs a newer appsrv: it sets flags that this one does not know";
        if (!description->handle)
                return "it has no handle() function";
        return NULL;
}

static int copy_description(struct native *native, const struct app *app, struct problems *problems)
{
        struct object_name object = object_of(app);
        const appsrv_app *description;
        const char *fault;
        entry_function entry;

        *(void **)&entry = dlsym(native->library, ENTRY_POINT);
        if (!entry)
                return problems_add(problems, object.origin,
                                    "[app %s] %s: %s is no application of appsrv: it has no "
                                    "symbol " ENTRY_POINT,
                                    app_name(app), object.key, object.value);
        description = entry(APPSRV_ABI);
        fault = description_fault(description);
        if (fault)
                return problems_add(problems, object.origin, "[app %s] %s: %s cannot be loaded: %s",
                                    app_name(app), object.key, object.value, fault);

        memcpy(&native->description, description,
               description->size < sizeof(*description) ? description->size : sizeof(*description));
        return 0;
}

static size_t count_settings(const char *const *settings)
{
        size_t n = 0;

        while (settings && settings[n])
                n++;
        return n;
}

static const char *nearest_key(const char *word, const struct app *app, const char *const *settings)
{
        static const char *const common[] = {
#define APP_SETTING(key, value, doc) #key,
#include "config/config.def"
        };
        const char *own = nearest_name(word, settings, count_settings(settings));

        if (!own && app->kind == &kind_native)
                own = nearest_name(word, (const char *const[]){"path"}, 1);
        return own ? own : nearest_name(word, common, sizeof(common) / sizeof(common[0]));
}

static bool setting_known(const char *name, const struct app *app, const char *const *settings)
{
        for (; settings && *settings; settings++) {
                if (strcmp(name, *settings) == 0)
                        return true;
        }
        return app->kind == &kind_native && strcmp(name, "path") == 0;
}

/* The keys that are the application's own: it says which ones it reads. */
static int check_settings(const struct app *app, const char *const *settings,
                          struct problems *problems)
{
        const struct app_config *config = app->config;
        int r = 0;

        for (size_t i = 0; i < config->n_keys; i++) {
                const struct app_key *key = &config->keys[i];
                const char *nearest;

                if (setting_known(key->name, app, settings))
                        continue;
                nearest = nearest_key(key->name, app, settings);
                r = problems_add(problems, &key->origin,
                                 "[app %s] %s: the application knows no such key%s%s%s",
                                 config->name, key->name, nearest ? ", did you mean '" : "",
                                 nearest ? nearest : "", nearest ? "'?" : "");
        }
        return r;
}

static void native_free(struct native *native)
{
        if (!native)
                return;
        if (native->library)
                (void)dlclose(native->library);
        free(native);
}

/* RTLD_NOW: a symbol that is missing is found here, not in the middle of a request. */
static int open_library(struct native *native, const struct app *app, struct problems *problems)
{
        struct object_name object = object_of(app);
        _cleanup_free_ char *file = NULL;
        int r = resolve_path(&file, app->config, object.value);

        if (r < 0)
                return r;
        /* NODELETE: a thread that the application leaves behind must not lose its code. */
        native->library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (!native->library)
                return problems_add(problems, object.origin, "[app %s] %s: %s", app_name(app),
                                    object.key, dlerror());
        return 0;
}

static int native_load(struct app *app, struct problems *problems)
{
        struct native *native = calloc(1, sizeof(*native));
        int r;

        if (!native)
                return -ENOMEM;
        r = open_library(native, app, problems);
        if (r == 0)
                r = copy_description(native, app, problems);
        if (r == 0)
                r = check_settings(app, native->description.settings, problems);
        if (r < 0) {
                native_free(native);
                return r;
        }
        app->instance = native;
        return 0;
}

static void native_unload(struct app *app)
{
        native_free(app->instance);
        app->instance = NULL;
}

static int native_start(struct app *app)
{
        struct native *native = app->instance;

        if (!native->description.start)
                return 0;
        return native->description.start((appsrv_ctx *)app, &native->self);
}

static void native_stop(struct app *app)
{
        const struct native *native = app->instance;

        if (native->description.stop)
                native->description.stop((appsrv_ctx *)app, native->self);
}

static bool native_preloads(const struct app *app)
{
        const struct native *native = app->instance;

        return native->description.fork != NULL;
}

static int native_fork(struct app *app, int when)
{
        const struct native *native = app->instance;

        return native->description.fork((appsrv_ctx *)app, native->self, when);
}

static bool native_can_stall(const struct app *app)
{
        const struct native *native = app->instance;

        return native->description.stalls != NULL;
}

static bool native_stalls(struct app *app)
{
        const struct native *native = app->instance;

        return native->description.stalls((appsrv_ctx *)app, native->self) > 0;
}

static int native_handle(struct exchange *exchange)
{
        const struct native *native = exchange->app->instance;

        return native->description.handle((appsrv_req *)exchange, native->self);
}

static bool native_concurrent(const struct app *app)
{
        const struct native *native = app->instance;

        return native->description.flags & APPSRV_F_CONCURRENT;
}

static enum body_wish native_body_wish(const struct app *app)
{
        const struct native *native = app->instance;

        if (native->description.flags & APPSRV_F_STREAM_BODY)
                return BODY_STREAMED;
        return native->description.flags & APPSRV_F_ASK_BODY ? BODY_ASKED : BODY_GATHERED;
}

const struct kind kind_native = {
        .name = "native",
        .check = native_check,
        .load = native_load,
        .unload = native_unload,
        .start = native_start,
        .stop = native_stop,
        .preloads = native_preloads,
        .fork = native_fork,
        .can_stall = native_can_stall,
        .stalls = native_stalls,
        .handle = native_handle,
        .concurrent = native_concurrent,
        .body_wish = native_body_wish,
};

const struct kind kind_plugin = {
        .name = "plug-in",
        .load = native_load,
        .unload = native_unload,
        .start = native_start,
        .stop = native_stop,
        .preloads = native_preloads,
        .fork = native_fork,
        .can_stall = native_can_stall,
        .stalls = native_stalls,
        .handle = native_handle,
        .concurrent = native_concurrent,
        .body_wish = native_body_wish,
};
