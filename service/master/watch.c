/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders in one inotify descriptor, and of each what in it counts. */
#include "master/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "master/report.h"

/* An editor writes, renames and removes within a moment; a checkout or a linker takes longer, but
 * somebody who waits for the answer wants it. */
#define CALM_USEC     (200 * USEC_PER_MSEC)
#define LONGEST_USEC  (2 * USEC_PER_SEC)
#define ACCURACY_USEC (10 * USEC_PER_MSEC)

/* Of a tree. Who has more has named the wrong folder. */
#define DEPTH_MAX   16
#define FOLDERS_MAX 4096

/* A file that was opened for writing was closed, or a name has come or gone. */
#define EVENTS                                                                                     \
        (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR |       \
         IN_EXCL_UNLINK)
#define GONE (IN_MOVED_FROM | IN_DELETE)

static const char python[] = ".py", configuration[] = ".ini";

/* What counts in one folder. */
struct place {
        struct place *next;
        int id; /* inotify's; two places may have the same */
        char *folder;
        const char *suffix; /* of names that count; NULL: only @name does */
        char *name;         /* of a file that others put there as a whole */
        unsigned depth;     /* below the folder that was named; folders that come belong to it */
};

struct watch {
        int fd;
        struct log *log;
        void (*changed)(void *data);
        void *data;
        struct place *places;
        unsigned n_places;
        bool overflowed; /* it was told that not all is watched */
        sd_event_source *source;
        sd_event_source *timer;
        uint64_t first_usec; /* change that was not told yet; 0: none */
};

/* -- places -- */

static void free_place(struct place *place)
{
        free(place->folder);
        free(place->name);
        free(place);
}

static bool same_text(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static struct place *find_place(const struct watch *watch, const struct place *wanted)
{
        for (struct place *place = watch->places; place; place = place->next)
                if (place->id == wanted->id && place->suffix == wanted->suffix &&
                    same_text(place->name, wanted->name))
                        return place;
        return NULL;
}

/* It may have been moved. */
static void move_place(struct place *place, struct place *there)
{
        char *folder = place->folder;

        place->folder = there->folder;
        place->depth = there->depth;
        there->folder = folder;
}

static void tell_unwatched(struct watch *watch, const char *folder, const char *why)
{
        if (watch->overflowed)
                return;
        watch->overflowed = true;
        report(watch->log, EVENT_FILES_UNWATCHED, NULL, "%s is not watched: %s", folder, why);
}

static void keep_place(struct watch *watch, struct place *place)
{
        struct place *earlier = find_place(watch, place);

        if (!earlier) {
                place->next = watch->places;
                watch->places = place;
                watch->n_places++;
                return;
        }
        move_place(earlier, place);
        free_place(place);
}

static void add_place(struct watch *watch, const char *folder, const char *suffix, const char *name,
                      unsigned depth)
{
        struct place *place;

        if (watch->n_places == FOLDERS_MAX) {
                tell_unwatched(watch, folder, "there are too many folders");
                return;
        }
        place = calloc(1, sizeof(*place));
        if (!place)
                return;
        *place = (struct place){.suffix = suffix, .depth = depth};
        place->id = inotify_add_watch(watch->fd, folder, EVENTS);
        if (place->id < 0 && errno == ENOSPC)
                tell_unwatched(watch, folder, "fs.inotify.max_user_watches is used up");
        place->folder = strdup(folder);
        place->name = name ? strdup(name) : NULL;
        if (place->id < 0 || !place->folder || (name && !place->name))
                free_place(place);
        else
                keep_place(watch, place);
}

/* -- trees -- */

static bool ends_with(const char *name, const char *suffix)
{
        size_t size = strlen(name), end = strlen(suffix);

        return size > end && strcmp(name + size - end, suffix) == 0;
}

/* Caches, version control, and what others have written. */
static bool is_foreign(const char *folder, const char *name)
{
        static const char *const names[] = {"__pycache__", "node_modules", "site-packages"};
        char path[PATH_MAX];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        (void)snprintf(path, sizeof(path), "%s/%s/pyvenv.cfg", folder, name);
        return name[0] == '.' || access(path, F_OK) == 0;
}

static bool is_folder(int parent, const struct dirent *entry)
{
        struct stat status;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type == DT_DIR;
        return fstatat(parent, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(status.st_mode);
}

/* Return: whether something in it counts. A folder that is watched already is looked through all
 * the same: others may have come in it. */
static bool add_tree(struct watch *watch, const char *folder, unsigned depth)
{
        DIR *stream = opendir(folder);
        const struct dirent *entry;
        bool counts = false;

        if (!stream)
                return false;
        add_place(watch, folder, python, NULL, depth);
        while ((entry = readdir(stream))) {
                char path[PATH_MAX];

                if (!is_folder(dirfd(stream), entry)) {
                        counts |= ends_with(entry->d_name, python);
                        continue;
                }
                if (depth < DEPTH_MAX && !is_foreign(folder, entry->d_name) &&
                    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
                        counts |= add_tree(watch, path, depth + 1);
        }
        (void)closedir(stream);
        return counts;
}

/* -- what a configuration is made of -- */

static void add_file(struct watch *watch, const char *directory, const char *path)
{
        const char *slash = strrchr(path, '/');
        char folder[PATH_MAX];

        (void)snprintf(folder, sizeof(folder), "%s%s%.*s", path[0] == '/' ? "" : directory,
                       path[0] == '/' ? "" : "/", slash ? (int)(slash - path) : 0, path);
        add_place(watch, *folder ? folder : "/", NULL, slash ? slash + 1 : path, 0);
}

static void add_trees(struct watch *watch, const char *folders)
{
        char folder[PATH_MAX];

        while (folders && *folders) {
                size_t size = strcspn(folders, ":");

                (void)snprintf(folder, sizeof(folder), "%.*s", (int)size, folders);
                if (size > 0)
                        (void)add_tree(watch, folder, 0);
                folders += size + (folders[size] == ':');
        }
}

/* The keys say what they are, whatever kind of application has them. */
static void add_app(struct watch *watch, const struct app_config *app)
{
        const char *path = app_config_get(app, "path"), *folder = app_config_get(app, "chdir");

        if (path)
                add_file(watch, app->directory ? app->directory : ".", path);
        if (!app_config_get(app, "module"))
                return;
        (void)add_tree(watch, folder ? folder : ".", 0);
        add_trees(watch, app_config_get(app, "pythonpath"));
}

void watch_follow(struct watch *watch, const struct config_source *source,
                  const struct config *config)
{
        if (!watch)
                return;
        if (source->file)
                add_file(watch, ".", source->file);
        if (source->drop_in)
                add_place(watch, source->drop_in, configuration, NULL, 0);
        for (size_t i = 0; i < config->n_apps; i++)
                add_app(watch, &config->apps[i]);
}

/* -- what happens -- */

static int on_calm(sd_event_source *source, uint64_t usec, void *data)
{
        struct watch *watch = data;

        (void)source;
        (void)usec;
        watch->first_usec = 0;
        watch->changed(watch->data);
        return 0;
}

static void note_change(struct watch *watch, const char *folder, const char *name)
{
        uint64_t now = now_usec(), calm = now + CALM_USEC;

        if (watch->first_usec == 0) {
                watch->first_usec = now;
                report(watch->log, EVENT_FILES_CHANGED, NULL, "Changed: %s/%s", folder, name);
        }
        if (calm > watch->first_usec + LONGEST_USEC)
                calm = watch->first_usec + LONGEST_USEC;
        (void)sd_event_source_set_time(watch->timer, calm);
        (void)sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

/* A linker removes the file that it makes anew; a module that is gone is a change. */
static bool counts(const struct place *place, const struct inotify_event *event)
{
        if ((event->mask & (IN_ISDIR | IN_CREATE)) || event->len == 0)
                return false;
        if (place->name)
                return !(event->mask & GONE) && strcmp(place->name, event->name) == 0;
        return ends_with(event->name, place->suffix);
}

/* A folder that has come may be full already. */
static bool take_folder(struct watch *watch, const struct place *place,
                        const struct inotify_event *event)
{
        char path[PATH_MAX];

        if (!(event->mask & IN_ISDIR) || (event->mask & GONE) || place->suffix != python ||
            place->depth >= DEPTH_MAX || is_foreign(place->folder, event->name) ||
            snprintf(path, sizeof(path), "%s/%s", place->folder, event->name) >= PATH_MAX)
                return false;
        return add_tree(watch, path, place->depth + 1);
}

/* The descriptor of a folder that is gone may be another one's later. */
static void forget_places(struct watch *watch, int id)
{
        struct place **link = &watch->places;

        while (*link) {
                struct place *place = *link;

                if (place->id != id) {
                        link = &place->next;
                        continue;
                }
                *link = place->next;
                watch->n_places--;
                free_place(place);
        }
}

static void take_event(struct watch *watch, const struct inotify_event *event)
{
        if (event->mask & IN_Q_OVERFLOW)
                note_change(watch, "...", "so much that not all was told");
        for (const struct place *place = watch->places; place; place = place->next)
                if (place->id == event->wd &&
                    (counts(place, event) || take_folder(watch, place, event)))
                        note_change(watch, place->folder, event->name);
        if (event->mask & IN_IGNORED)
                forget_places(watch, event->wd);
}

static int on_events(sd_event_source *source, int fd, uint32_t events, void *data)
{
        _Alignas(struct inotify_event) char buffer[16384];
        ssize_t size = read(fd, buffer, sizeof(buffer));
        const char *at = buffer;

        (void)source;
        (void)events;
        while (size > 0 && at < buffer + size) {
                const struct inotify_event *event = (const void *)at;

                take_event(data, event);
                at += sizeof(*event) + event->len;
        }
        return 0;
}

/* -- beginning and end -- */

int watch_new(struct watch **ret, sd_event *event, struct log *log, void (*changed)(void *data),
              void *data)
{
        struct watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (struct watch){.log = log, .changed = changed, .data = data};
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        r = watch->fd < 0 ? -errno : 0;
        if (r == 0)
                r = sd_event_add_io(event, &watch->source, watch->fd, EPOLLIN, on_events, watch);
        if (r >= 0)
                r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
                                      on_calm, watch);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        if (r < 0) {
                watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

void watch_free(struct watch *watch)
{
        if (!watch)
                return;
        (void)sd_event_source_disable_unref(watch->source);
        (void)sd_event_source_disable_unref(watch->timer);
        close_descriptor(&watch->fd);
        while (watch->places) {
                struct place *place = watch->places;

                watch->places = place->next;
                free_place(place);
        }
        free(watch);
}
