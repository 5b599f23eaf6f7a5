/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A generation whose workers cannot live: how often it tries, and when it gives up. */
#include "master/generation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_log_journald.h"

/* Somebody that nobody else's processes belong to: their number is limited for a user. */
#define LONELY_USER 64999

struct scene {
        struct journald journald;
        struct generation_owner owner;
        struct store store;
        struct recoveries recoveries;
        struct listeners listeners;
        struct oom oom;
        struct generation *generation;
        enum generation_verdict verdict;
        char said[CHILD_SAID_MAX];
};

static void on_ready(void *data, struct generation *generation)
{
        (void)data;
        (void)generation;
        abort();
}

static void on_failed(void *data, struct generation *generation, enum generation_verdict verdict,
                      const struct child *last)
{
        struct scene *scene = data;

        assert(generation->phase == GENERATION_STARTING);
        scene->verdict = verdict;
        (void)snprintf(scene->said, sizeof(scene->said), "%s", last->said);
        generation_stop(generation);
        assert(sd_event_exit(scene->owner.host.event, 0) >= 0);
}

static void block_child_signal(void)
{
        sigset_t set;

        assert(sigemptyset(&set) == 0 && sigaddset(&set, SIGCHLD) == 0);
        assert(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

/* Workers find no notify socket at this path, so they end with EXIT_CODE_BUG. */
static void begin(struct scene *scene, unsigned workers, bool older_serves)
{
        const struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 6, .buffer_size = 1 << 20};
        const struct config_source nothing = {0};
        struct problems problems = {0};
        struct setup setup = {0};

        *scene = (struct scene){.verdict = VERDICT_NOTHING};
        block_child_signal();
        journald_start(&scene->journald);
        assert(config_load(&setup.config, &nothing, &problems) == 0);
        setup.config->server_workers = workers;
        scene->owner = (struct generation_owner){.data = scene, .ready = on_ready};
        scene->owner.failed = on_failed;
        scene->owner.host.listeners = &scene->listeners;
        scene->owner.host.notify_path = "/nowhere/notify";
        scene->owner.host.log_target = LOG_TARGET_JOURNAL;
        assert(sd_event_new(&scene->owner.host.event) >= 0);
        assert(log_open(&scene->owner.host.log, &options) == 0);
        scene->recoveries = (struct recoveries){
                .event = scene->owner.host.event,
                .log = scene->owner.host.log,
                .target = LOG_TARGET_JOURNAL,
                .console = STDERR_FILENO,
        };
        scene->owner.host.console = STDERR_FILENO;
        scene->owner.host.store = &scene->store;
        scene->owner.host.oom = &scene->oom;
        scene->owner.host.recoveries = &scene->recoveries;
        assert(generation_new(&scene->generation, &scene->owner, 7, &setup) == 0);
        scene->generation->older_serves = older_serves;
}

static unsigned count_events(struct scene *scene, const char *name)
{
        struct entry entry;
        unsigned n = 0;

        (void)log_ship(scene->owner.host.log);
        while (journald_receive(&scene->journald, &entry, MSG_DONTWAIT)) {
                n += entry_has(&entry, "EVENT", name);
                entry_free(&entry);
                (void)log_ship(scene->owner.host.log);
        }
        return n;
}

static void end(struct scene *scene)
{
        generation_free(scene->generation);
        recoveries_close(&scene->recoveries, 0);
        assert(!sd_event_unref(scene->owner.host.event));
        (void)count_events(scene, ""); /* so that none is lost */
        (void)log_close(scene->owner.host.log, 0, false);
        journald_remove(&scene->journald);
        while (waitpid(-1, NULL, 0) > 0)
                ;
}

static void test_workers_that_die_together_are_one_try(void)
{
        struct scene scene;
        unsigned failures;

        begin(&scene, 8, false);
        generation_fill(scene.generation);
        assert(generation_processes(scene.generation) == 8);
        assert(sd_event_loop(scene.owner.host.event) == 0);
        failures = scene.generation->failures;
        assert(scene.verdict == VERDICT_FAIL && failures == START_FAILURES_MAX);
        end(&scene);
}

static void test_reload_gives_up_at_once(void)
{
        struct scene scene;

        begin(&scene, 2, true);
        generation_fill(scene.generation);
        assert(sd_event_loop(scene.owner.host.event) == 0);
        assert(scene.verdict == VERDICT_REFUSE && scene.generation->failures == 1);
        end(&scene);
}

/* In a process of its own, which can never have a child again. */
static void without_fork(void (*test)(void))
{
        const struct rlimit none = {0};
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0) {
                if (geteuid() == 0)
                        assert(setresuid(LONELY_USER, LONELY_USER, LONELY_USER) == 0);
                assert(setrlimit(RLIMIT_NPROC, &none) == 0);
                test();
                _exit(0);
        }
        assert(waitpid(child, &status, 0) == child);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void start_that_cannot_fork(void)
{
        struct scene scene;
        unsigned n;

        begin(&scene, 2, false);
        generation_fill(scene.generation);
        assert(scene.verdict == VERDICT_NOTHING && scene.generation->retry);
        generation_fill(scene.generation); /* does not jump the queue */
        assert(scene.generation->failures == 1);
        assert(sd_event_loop(scene.owner.host.event) == 0);
        assert(scene.verdict == VERDICT_FAIL);
        assert(strcmp(scene.said, "it cannot be forked: Resource temporarily unavailable") == 0);
        n = count_events(&scene, "worker-backoff");
        assert(n == START_FAILURES_MAX - 1);
        end(&scene);
}

static void reload_that_cannot_fork(void)
{
        struct scene scene;

        begin(&scene, 2, true);
        generation_fill(scene.generation);
        assert(scene.verdict == VERDICT_REFUSE && generation_processes(scene.generation) == 0);
        end(&scene);
}

static void test_stopped_generation_is_not_filled_again(void)
{
        struct scene scene;

        begin(&scene, 2, false);
        generation_stop(scene.generation);
        generation_fill(scene.generation);
        assert(generation_processes(scene.generation) == 0);
        assert(!generation_find(scene.generation, getpid()));
        assert(generation_serving(scene.generation) == 0);
        end(&scene);
}

int main(void)
{
        test_workers_that_die_together_are_one_try();
        test_reload_gives_up_at_once();
        without_fork(start_that_cannot_fork);
        without_fork(reload_that_cannot_fork);
        test_stopped_generation_is_not_filled_again();
        generation_free(NULL);
        return 0;
}
