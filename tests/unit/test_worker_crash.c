/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the handler of fatal signals leaves in the box, and that the process dies of the signal that
 * hit it, whatever else comes meanwhile. */
#include "worker/crash.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skip.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { ROUNDS = 20 };

/* What both sides see. */
struct scene {
        struct box *box;
        atomic_int *about; /* the thread that signals from outside are about; 0: not yet */
        atomic_int *go;
        pid_t child;
};

/* The thread that leads: it is hit as soon as it may be. */
static void *be_hit(void *data)
{
        const struct scene *scene = data;

        crash_about_me();
        atomic_store(scene->about, gettid());
        while (!atomic_load(scene->go))
                ;
        (void)raise(SIGSEGV);
        return NULL;
}

static void *be_told(void *data)
{
        const struct scene *scene = data;

        crash_about_me();
        atomic_store(scene->about, gettid());
        while (pause() < 0)
                ;
        return NULL;
}

/* A process with two threads, of which the second one does @what. */
static _Noreturn void live(const struct scene *scene, void *(*what)(void *))
{
        const struct rlimit no_core = {0};
        pthread_t thread;

        assert(setrlimit(RLIMIT_CORE, &no_core) == 0);
        assert(crash_watch(scene->box) == 0);
        assert(pthread_create(&thread, NULL, what, (void *)(uintptr_t)scene) == 0);
        for (;;)
                (void)pause();
}

static void scene_begin(struct scene *scene, void *(*what)(void *))
{
        static const struct box_layout layout = {.n_flights = 1};
        atomic_int *shared = mmap(NULL, 2 * sizeof(*shared), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert(shared != MAP_FAILED);
        *scene = (struct scene){.about = &shared[0], .go = &shared[1]};
        assert(box_new(&scene->box, &layout) == 0);
        box_set_inherited(scene->box, true);
        scene->child = fork();
        assert(scene->child >= 0);
        if (scene->child == 0)
                live(scene, what);
        while (!atomic_load(scene->about))
                ;
}

/* Return: the signal that ended it. */
static int scene_end(struct scene *scene)
{
        int status;

        assert(waitpid(scene->child, &status, 0) == scene->child && WIFSIGNALED(status));
        box_free(scene->box);
        assert(munmap(scene->about, 2 * sizeof(*scene->about)) == 0);
        return WTERMSIG(status);
}

static void test_a_signal_from_outside_tells_of_the_thread_that_leads(void)
{
        struct scene scene;

        scene_begin(&scene, be_told);
        assert(kill(scene.child, SIGABRT) == 0);
        assert(waitid(P_PID, (id_t)scene.child, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0);
        assert(atomic_load(&scene.box->header->crash.signal) == SIGABRT);
        assert(atomic_load(&scene.box->header->crash.thread) == atomic_load(scene.about));
        assert(strstr(scene.box->stack, "pause") || strstr(scene.box->stack, "libc"));
        assert(scene_end(&scene) == SIGABRT);
}

/* Somebody's patience ends just then. */
static void test_a_thread_that_was_hit_is_not_kept_by_what_is_passed_on_to_it(void)
{
        for (unsigned i = 0; i < ROUNDS; i++) {
                struct scene scene;

                scene_begin(&scene, be_hit);
                atomic_store(scene.go, 1);
                while (atomic_load(&scene.box->header->crash.signal) == 0)
                        ;
                assert(kill(scene.child, SIGABRT) == 0);
                assert(scene_end(&scene) == SIGSEGV);
        }
}

int main(void)
{
        if (SANITIZED) {
                not_tried = "sanitizers have handlers of their own";
                return ending();
        }
        test_a_signal_from_outside_tells_of_the_thread_that_leads();
        test_a_thread_that_was_hit_is_not_kept_by_what_is_passed_on_to_it();
        return ending();
}
