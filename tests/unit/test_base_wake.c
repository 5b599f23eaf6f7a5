/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wake-ups: none is lost, and none stays that nobody takes. */
#include "base/wake.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>

enum { TELLERS = 3, TELLS = 100000, PATIENCE_MS = 10000 };

static struct wake wake;
static atomic_uint told;

static bool readable(int timeout)
{
        struct pollfd fd = {.fd = wake.fd, .events = POLLIN};

        return poll(&fd, 1, timeout) == 1;
}

static void test_one_write_until_it_is_taken(void)
{
        eventfd_t count;

        assert(wake_init(&wake) == 0);
        assert(!readable(0));
        wake_tell(&wake);
        wake_tell(&wake);
        assert(readable(0));
        assert(eventfd_read(wake.fd, &count) == 0 && count == 1);
        wake_take(&wake);
        wake_tell(&wake);
        assert(readable(0));
        wake_take(&wake);
        assert(!readable(0));
        wake_take(&wake);
        wake_done(&wake);
}

static void *tell(void *data)
{
        (void)data;
        for (unsigned i = 0; i < TELLS; i++) {
                atomic_fetch_add(&told, 1);
                wake_tell(&wake);
        }
        return NULL;
}

/* As a loop does it: also without having been woken, as when it has something else to do. */
static void test_none_is_lost_and_none_stays(void)
{
        pthread_t threads[TELLERS];
        unsigned seen = 0;

        assert(wake_init(&wake) == 0);
        for (size_t i = 0; i < TELLERS; i++)
                assert(pthread_create(&threads[i], NULL, tell, NULL) == 0);
        for (unsigned turn = 0; seen < TELLERS * TELLS; turn++) {
                if (turn % 4 == 0)
                        assert(readable(PATIENCE_MS));
                wake_take(&wake);
                seen = atomic_load(&told);
        }
        for (size_t i = 0; i < TELLERS; i++)
                assert(pthread_join(threads[i], NULL) == 0);
        wake_take(&wake);
        assert(!readable(0));
        wake_done(&wake);
}

int main(void)
{
        test_one_write_until_it_is_taken();
        for (unsigned i = 0; i < 5; i++) {
                atomic_store(&told, 0);
                test_none_is_lost_and_none_stays();
        }
        return 0;
}
