/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static applications: the files below a folder, as they are. static_check() runs anywhere,
 * static_handle() on application threads, the rest on the thread that owns the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/kind.h"
#include "app/listing.h"
#include "app/mime.h"
#include "app/static_settings.h"
#include "app/tree.h"
#include "base/cleanup.h"
#include "request/coding.h"
#include "request/escape.h"
#include "request/file_answer.h"

#define METHODS "GET, HEAD, OPTIONS"

/* Longer than any registered media type with its charset. */
#define TYPE_MAX 256

#define CHARSET "; charset=utf-8"

struct site {
        struct static_settings settings;
        struct tree tree;
        struct mime mime;
};

/* A file that is open for reading. */
struct opened {
        int fd;
        struct stat status;
        const char *coding; /* NULL: the file itself */
};

/* The file to look for when the client takes a coding; where weights are equal the first wins. */
static const struct {
        const char *coding;
        const char *suffix;
} variants[] = {
        {"br", ".br"},
        {"gzip", ".gz"},
};

/* What a failure to open a file means to the client: the status, 0 when it is the server's fault.
 */
static const struct {
        int error;
        int status;
} refusals[] = {
        {EACCES, 403}, {EPERM, 403}, {ENOENT, 404}, {ENOTDIR, 404}, {ELOOP, 404},
        {EXDEV, 404},  {ENXIO, 404}, {ENODEV, 404}, {EISDIR, 404},  {ENAMETOOLONG, 404},
};

static int refuse(struct exchange *exchange, int status)
{
        response_error(exchange->response, exchange->arena, status, NULL);
        return 0;
}

static int refuse_errno(struct exchange *exchange, int error)
{
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
                if (refusals[i].error == -error)
                        return refuse(exchange, refusals[i].status);
        }
        return error;
}

/* Where the file of a path would be, with @suffix behind it; NULL when there is no memory. */
static char *join(struct arena *arena, const char *path, const char *suffix)
{
        size_t size = strlen(path), suffix_size = strlen(suffix);
        char *joined = arena_alloc(arena, size + suffix_size + 1);

        if (!joined)
                return NULL;
        memcpy(joined, path, size);
        memcpy(joined + size, suffix, suffix_size + 1);
        return joined;
}

/* What is at a path, without opening it: opening a pipe or a device may already do something. */
static int look_at(const struct site *site, const char *path, mode_t *ret)
{
        _cleanup_close_ int fd = tree_file(&site->tree, path, O_PATH);
        struct stat status;

        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return -errno;
        *ret = status.st_mode & S_IFMT;
        return 0;
}

/* What was a file a moment ago may be something else by now, hence the second look. */
static int open_regular(const struct site *site, const char *path, struct opened *ret)
{
        struct opened opened = {.fd = tree_file(&site->tree, path, O_RDONLY)};
        int r = 0;

        if (opened.fd < 0)
                return opened.fd;
        if (fstat(opened.fd, &opened.status) < 0)
                r = -errno;
        else if (!S_ISREG(opened.status.st_mode))
                r = -ENODEV;
        if (r < 0)
                (void)close(opened.fd);
        else
                *ret = opened;
        return r;
}

static bool older(const struct stat *status, const struct stat *than)
{
        if (status->st_mtim.tv_sec != than->st_mtim.tv_sec)
                return status->st_mtim.tv_sec < than->st_mtim.tv_sec;
        return status->st_mtim.tv_nsec < than->st_mtim.tv_nsec;
}

/* Put a variant into the place of the file, if it is there and was not made of an older file. */
static int take_variant(struct exchange *exchange, const char *path, size_t i,
                        struct opened *opened)
{
        const struct site *site = exchange->app->instance;
        const char *variant_path = join(exchange->arena, path, variants[i].suffix);
        struct opened variant;
        mode_t type = 0;

        if (!variant_path)
                return -ENOMEM;
        if (look_at(site, variant_path, &type) < 0 || type != S_IFREG ||
            open_regular(site, variant_path, &variant) < 0)
                return 0;
        if (older(&variant.status, &opened->status)) {
                (void)close(variant.fd);
                return 0;
        }
        (void)close(opened->fd);
        *opened = variant;
        opened->coding = variants[i].coding;
        return 1;
}

/* RFC 9110 12.5.3: the coding with the greatest weight, as far as there is a file of it. */
static int choose_variant(struct exchange *exchange, const char *path, struct opened *opened)
{
        unsigned weights[sizeof(variants) / sizeof(variants[0])];
        unsigned identity = coding_quality(exchange->request, "identity");
        size_t n = sizeof(variants) / sizeof(variants[0]);
        int r = 0;

        for (size_t i = 0; i < n; i++)
                weights[i] = coding_quality(exchange->request, variants[i].coding);
        for (size_t tried = 0; tried < n && r == 0; tried++) {
                size_t best = 0;

                for (size_t i = 1; i < n; i++)
                        best = weights[i] > weights[best] ? i : best;
                if (weights[best] == 0 || weights[best] < identity)
                        return 0;
                r = take_variant(exchange, path, best, opened);
                weights[best] = 0;
        }
        return r < 0 ? r : 0;
}

/* Texts are taken to be UTF-8: without a charset browsers guess. */
static const char *type_of(const struct site *site, const char *path, char type[static TYPE_MAX])
{
        const char *slash = strrchr(path, '/');
        const char *found = mime_find(&site->mime, slash ? slash + 1 : path);

        (void)snprintf(type, TYPE_MAX, "%s%s", found,
                       strncmp(found, "text/", 5) == 0 ? CHARSET : "");
        return type;
}

static int answer_opened(struct exchange *exchange, const char *path, struct opened *opened)
{
        const struct site *site = exchange->app->instance;
        const struct stat *status = &opened->status;
        char type[TYPE_MAX];
        const struct file_facts facts = {
                .inode = status->st_ino,
                .size = (uint64_t)status->st_size,
                .modified = status->st_mtim.tv_sec,
                .modified_nsec = (uint32_t)status->st_mtim.tv_nsec,
                .now = time(NULL),
                .type = type_of(site, path, type),
                .coding = opened->coding,
                .cache_control =
                        site->settings.cache_control[0] ? site->settings.cache_control : NULL,
                .varies = site->settings.precompressed,
        };
        struct byte_range range;
        int r = file_answer(exchange->request, &facts, exchange->arena, exchange->response, &range);

        if (r > 0)
                r = response_set_file(exchange->response, TAKE_FD(opened->fd), range.first,
                                      range.size);
        return r;
}

/* @path: what was seen to be a file. */
static int answer_file(struct exchange *exchange, const char *path)
{
        const struct site *site = exchange->app->instance;
        struct opened opened;
        int r = open_regular(site, path, &opened);

        if (r < 0)
                return refuse_errno(exchange, r);
        if (site->settings.precompressed)
                r = choose_variant(exchange, path, &opened);
        if (r == 0)
                r = answer_opened(exchange, path, &opened);
        close_descriptor(&opened.fd);
        return r;
}

/*
 * The path of the request with a slash at its end, escaped again, and its query. A segment that is
 * empty was refused before, so it cannot begin with two slashes and mean another host.
 */
static char *folder_location(const struct request *request)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        bool failed;

        if (!stream)
                return NULL;
        escape_path(stream, request->path);
        (void)fprintf(stream, "/%s%s", request->query_size > 0 ? "?" : "", request->query);
        failed = ferror(stream);
        if (fclose(stream) != 0 || failed)
                return NULL;
        return TAKE_PTR(text);
}

static int redirect(struct exchange *exchange)
{
        _cleanup_free_ char *location = folder_location(exchange->request);
        int r;

        if (!location)
                return -ENOMEM;
        response_error(exchange->response, exchange->arena, 301, NULL);
        r = response_set_header(exchange->response, exchange->arena, "Location", location);
        return r == -E2BIG ? refuse(exchange, 414) : r;
}

static int answer_listing(struct exchange *exchange, const char *path)
{
        const struct site *site = exchange->app->instance;
        _cleanup_close_ int fd = tree_file(&site->tree, path, O_RDONLY | O_DIRECTORY);
        _cleanup_free_ char *page = NULL;
        struct response *response = exchange->response;
        size_t size;
        int r;

        if (fd < 0)
                return refuse_errno(exchange, fd);
        r = listing_write(&page, &size, fd, exchange->request->path, strcmp(path, ".") == 0);
        if (r == 0)
                r = response_set_body(response, exchange->arena, page, size);
        if (r == 0)
                r = response_set_header(response, exchange->arena, "Content-Type",
                                        "text/html" CHARSET);
        if (r == 0)
                r = response_set_header(response, exchange->arena, "X-Content-Type-Options",
                                        "nosniff");
        response->status = 200;
        return r;
}

/* @path: "." or without a slash at the end. */
static int answer_folder(struct exchange *exchange, const char *path)
{
        const struct site *site = exchange->app->instance;
        const char *folder = join(exchange->arena, path, "/");
        const char *index = folder ? join(exchange->arena, folder, site->settings.index) : NULL;
        mode_t type = 0;
        int r = -ENOENT;

        if (!index)
                return -ENOMEM;
        if (site->settings.index[0])
                r = look_at(site, index, &type);
        if (r == 0 && type == S_IFREG)
                return answer_file(exchange, index);
        if (r < 0 && r != -ENOENT)
                return refuse_errno(exchange, r);
        return site->settings.listing ? answer_listing(exchange, path) : refuse(exchange, 404);
}

/*
 * Below the mount: empty or beginning with a slash. An empty segment would be a second name of the
 * same file; one that begins with a dot was not meant to be seen.
 */
static bool path_served(const char *path)
{
        for (; *path; path += 1 + strcspn(path + 1, "/")) {
                if (path[1] == '.' || path[1] == '/')
                        return false;
        }
        return true;
}

static int answer_path(struct exchange *exchange, const char *below)
{
        const struct site *site = exchange->app->instance;
        size_t size = strlen(below);
        bool slash = size > 0 && below[size - 1] == '/';
        const char *path =
                size > 1 ? arena_copy(exchange->arena, below + 1, size - 1 - slash) : ".";
        mode_t type = 0;
        int r;

        if (!path)
                return -ENOMEM;
        r = look_at(site, path, &type);
        if (r < 0)
                return refuse_errno(exchange, r);
        if (type == S_IFDIR)
                return slash ? answer_folder(exchange, path) : redirect(exchange);
        if (type != S_IFREG || slash)
                return refuse(exchange, 404);
        return answer_file(exchange, path);
}

static int allow(struct exchange *exchange, int status)
{
        if (status == 405)
                response_error(exchange->response, exchange->arena, status, NULL);
        exchange->response->status = status;
        return response_set_header(exchange->response, exchange->arena, "Allow", METHODS);
}

static int static_handle(struct exchange *exchange)
{
        const struct request *request = exchange->request;
        const char *mount = exchange->app->config->mount;
        const char *below = request->path + (mount[1] ? strlen(mount) : 0);

        if (strcmp(request->method, "OPTIONS") == 0)
                return allow(exchange, 204);
        if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
                return allow(exchange, 405);
        if (strlen(request->path) != request->path_size || !path_served(below))
                return refuse(exchange, 404);
        return answer_path(exchange, below);
}

static int static_check(const struct app_config *config, struct problems *problems)
{
        struct static_settings settings;

        return static_settings_read(&settings, config, problems);
}

static void site_free(struct site *site)
{
        if (!site)
                return;
        mime_free(&site->mime);
        tree_close(&site->tree);
        free(site);
}

static int open_root(struct site *site, const struct app_config *config, struct problems *problems)
{
        int r = tree_open(&site->tree, site->settings.root);

        if (r == 0)
                return 0;
        return problems_add(problems, static_settings_origin(config, "root"),
                            "[app %s] root: %s: %s", config->name, site->settings.root,
                            strerrordesc_np(-r));
}

static int static_load(struct app *app, struct problems *problems)
{
        struct site *site = calloc(1, sizeof(*site));
        int r;

        if (!site)
                return -ENOMEM;
        site->tree.root = -1;
        r = static_settings_read(&site->settings, app->config, problems);
        if (r == 0)
                r = open_root(site, app->config, problems);
        if (r == 0)
                r = mime_load(&site->mime, mime_files);
        if (r < 0) {
                site_free(site);
                return r;
        }
        app->instance = site;
        return 0;
}

static void static_unload(struct app *app)
{
        site_free(app->instance);
        app->instance = NULL;
}

const struct kind kind_static = {
        .name = "static",
        .check = static_check,
        .load = static_load,
        .unload = static_unload,
        .handle = static_handle,
};
