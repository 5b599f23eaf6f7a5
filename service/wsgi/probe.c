/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the GIL can be had. */
#include "wsgi/probe.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "wsgi/interpreter.h"

/* One that was asked and has not begun to wait may lack a processor, which is nobody's fault. */
enum { RESTS, WAS_ASKED, WAITS };

static struct {
        pthread_t thread;
        bool begun;
        sem_t asked;
        atomic_int state;
        atomic_bool ends;
} probe;

static void *run(void *data)
{
        (void)data;
        while (sem_wait(&probe.asked) < 0 || !atomic_load(&probe.ends)) {
                if (atomic_load(&probe.state) != WAS_ASKED) /* a signal came */
                        continue;
                atomic_store(&probe.state, WAITS);
                if (interpreter_enter() == 0)
                        interpreter_leave();
                atomic_store(&probe.state, RESTS);
        }
        return NULL;
}

static bool begin(void)
{
        if (!probe.begun && sem_init(&probe.asked, 0, 0) == 0)
                probe.begun = pthread_create(&probe.thread, NULL, run, NULL) == 0;
        return probe.begun;
}

bool probe_waits(void)
{
        int state = atomic_load(&probe.state);

        if (state == RESTS && begin()) {
                atomic_store(&probe.state, WAS_ASKED);
                (void)sem_post(&probe.asked);
        }
        return state == WAITS;
}

void probe_end(void)
{
        if (!probe.begun)
                return;
        atomic_store(&probe.ends, true);
        (void)sem_post(&probe.asked);
        (void)pthread_join(probe.thread, NULL);
        probe.begun = false;
}
