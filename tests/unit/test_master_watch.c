/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which changes of files are told, and that those of a moment are told once. */
#include "master/watch.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "test_log_journald.h"

struct scene {
        char folder[64];
        struct journald journald;
        struct log *log;
        sd_event *event;
        struct watch *watch;
        unsigned changes;
};

static void on_changed(void *data)
{
        struct scene *scene = data;

        scene->changes++;
}

__attribute__((format(printf, 2, 3))) static char *path_of(const struct scene *scene,
                                                           const char *format, ...)
{
        static char path[4][4096];
        static unsigned next;
        char *text = path[next++ % 4];
        va_list arguments;
        int n = snprintf(text, 4096, "%s/", scene->folder);

        va_start(arguments, format);
        (void)vsnprintf(text + n, 4096 - (size_t)n, format, arguments);
        va_end(arguments);
        return text;
}

static void write_file(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

static void make_folder(const char *path)
{
        assert(mkdir(path, 0700) == 0);
}

/* An application in Python in `project`, one as a shared object in `build`, a configuration. */
static void follow(struct scene *scene)
{
        const struct config_source source = {
                .file = path_of(scene, "a.ini"),
                .drop_in = path_of(scene, "conf.d"),
        };
        struct problems problems = {0};
        struct config *config = NULL;
        FILE *file = fopen(path_of(scene, "a.ini"), "we");

        assert(file);
        (void)fprintf(file,
                      "[app web]\ntype = wsgi\nmodule = a\nchdir = %s/project\n"
                      "pythonpath = %s/more:%s/none\n[app so]\ntype = native\npath = build/a.so\n"
                      "mount = /so\n",
                      scene->folder, scene->folder, scene->folder);
        assert(fclose(file) == 0);
        assert(config_load(&config, &source, &problems) == 0);
        watch_follow(scene->watch, &source, config);
        config_free(config);
}

static void begin(struct scene *scene)
{
        static const char *const folders[] = {
                "conf.d",       "project", "project/deep", "project/deep/deeper", "project/.git",
                "project/venv", "more",    "build",        "project/__pycache__"};
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 1 << 20};

        *scene = (struct scene){.folder = "/tmp/test_master_watch.XXXXXX"};
        assert(mkdtemp(scene->folder));
        for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
                make_folder(path_of(scene, "%s", folders[i]));
        write_file(path_of(scene, "project/venv/pyvenv.cfg"));
        journald_start(&scene->journald);
        assert(log_open(&scene->log, &options) == 0 && sd_event_new(&scene->event) >= 0);
        assert(watch_new(&scene->watch, scene->event, scene->log, on_changed, scene) == 0);
        follow(scene);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
        (void)status;
        (void)type;
        (void)place;
        return remove(path);
}

static void end(struct scene *scene)
{
        watch_free(scene->watch);
        assert(!sd_event_unref(scene->event));
        (void)log_close(scene->log, 0, false);
        journald_remove(&scene->journald);
        assert(nftw(scene->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static unsigned count_events(struct scene *scene, const char *name)
{
        struct entry entry;
        unsigned n = 0;

        (void)log_ship(scene->log);
        while (journald_receive(&scene->journald, &entry, MSG_DONTWAIT)) {
                n += entry_has(&entry, "EVENT", name);
                entry_free(&entry);
                (void)log_ship(scene->log);
        }
        return n;
}

/* Inotify tells at once; whether a change has begun that nobody was told of yet. */
static bool begins(struct scene *scene)
{
        int r;

        do {
                r = sd_event_run(scene->event, 0);
                assert(r >= 0);
        } while (r > 0);
        return count_events(scene, "files-changed") > 0;
}

/* Until it is told: when nothing has come for a moment. Return: how often. */
static unsigned changes(struct scene *scene)
{
        int r = 1;

        if (!begins(scene))
                return 0;
        scene->changes = 0;
        while (scene->changes == 0 && r > 0) {
                r = sd_event_run(scene->event, 10 * USEC_PER_SEC);
                assert(r >= 0);
        }
        return scene->changes;
}

static void test_files_that_count_and_files_that_do_not(void)
{
        static const char *const counting[] = {"project/a.py", "project/deep/deeper/b.py",
                                               "more/c.py",    "build/a.so",
                                               "a.ini",        "conf.d/x.ini"};
        static const char *const others[] = {
                "project/notes.txt", "project/a.pyc",     "project/.py",
                "project/.git/d.py", "project/venv/e.py", "project/__pycache__/f.py",
                "build/b.so",        "conf.d/x.ini~",     "g.py"};
        struct scene scene;

        begin(&scene);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                write_file(path_of(&scene, "%s", others[i]));
        assert(!begins(&scene));
        for (size_t i = 0; i < sizeof(counting) / sizeof(counting[0]); i++) {
                write_file(path_of(&scene, "%s", counting[i]));
                assert(changes(&scene) == 1);
        }
        end(&scene);
}

static void test_what_changes_in_a_moment_is_told_once(void)
{
        struct scene scene;

        begin(&scene);
        follow(&scene); /* again: nothing is watched twice */
        for (int i = 0; i < 50; i++)
                write_file(path_of(&scene, "project/deep/m%d.py", i));
        assert(rename(path_of(&scene, "project/deep/m1.py"),
                      path_of(&scene, "project/deep/m2.py")) == 0);
        assert(changes(&scene) == 1);
        assert(!begins(&scene));
        end(&scene);
}

static void test_a_module_that_is_gone_is_a_change_and_a_library_that_is_made_anew_is_not_yet(void)
{
        struct scene scene;

        begin(&scene);
        write_file(path_of(&scene, "project/a.py"));
        write_file(path_of(&scene, "build/a.so"));
        assert(changes(&scene) == 1);
        assert(unlink(path_of(&scene, "build/a.so")) == 0);
        assert(!begins(&scene));
        assert(unlink(path_of(&scene, "project/a.py")) == 0);
        assert(changes(&scene) == 1);
        end(&scene);
}

static void test_folders_come_and_go(void)
{
        struct scene scene;

        begin(&scene);
        make_folder(path_of(&scene, "project/uploads"));
        assert(!begins(&scene)); /* nothing in it counts */
        make_folder(path_of(&scene, "project/uploads/code"));
        assert(!begins(&scene));
        write_file(path_of(&scene, "project/uploads/code/a.py"));
        assert(changes(&scene) == 1);
        /* One that comes with all that is in it. */
        assert(rename(path_of(&scene, "project/uploads"), path_of(&scene, "away")) == 0);
        assert(!begins(&scene));
        assert(rename(path_of(&scene, "away"), path_of(&scene, "project/back")) == 0);
        assert(changes(&scene) == 1);
        assert(unlink(path_of(&scene, "project/back/code/a.py")) == 0);
        assert(changes(&scene) == 1);
        assert(rmdir(path_of(&scene, "project/back/code")) == 0);
        make_folder(path_of(&scene, "project/back/code"));
        assert(!begins(&scene));
        write_file(path_of(&scene, "project/back/code/a.py"));
        assert(changes(&scene) == 1);
        end(&scene);
}

static void test_of_too_many_folders_the_rest_is_told_and_left_out(void)
{
        struct scene scene;

        begin(&scene);
        for (int i = 0; i < 4100; i++)
                make_folder(path_of(&scene, "project/f%d", i));
        follow(&scene);
        assert(count_events(&scene, "files-unwatched") == 1);
        end(&scene);
}

int main(void)
{
        test_files_that_count_and_files_that_do_not();
        test_what_changes_in_a_moment_is_told_once();
        test_a_module_that_is_gone_is_a_change_and_a_library_that_is_made_anew_is_not_yet();
        test_folders_come_and_go();
        test_of_too_many_folders_the_rest_is_told_and_left_out();
        watch_free(NULL);
        return 0;
}
