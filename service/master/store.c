/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, and the descriptors that systemd passes back at the start. */
#include "master/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "master/systemd.h"

#define PREFIX "blackbox-"

bool store_is_box(const char *name)
{
        return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static void free_names(char **names, int n)
{
        for (int i = 0; names && i < n; i++)
                free(names[i]);
        free(names);
}

void store_init(struct store *store)
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(0, &names);
        uint64_t number;

        *store = (struct store){0};
        for (int i = 0; i < n; i++)
                if (store_is_box(names[i]) &&
                    parse_number(names[i] + strlen(PREFIX), &number) == 0 && number > store->last)
                        store->last = number;
        free_names(names, n);
}

/* A copy: sd_listen_fds() fails when one of the passed descriptors is closed, and it is asked once
 * more for the sockets. */
static int take(int passed, const char *name, struct stored_box *ret)
{
        _cleanup_close_ int fd = fcntl(passed, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START);
        int r;

        *ret = (struct stored_box){.kept = true};
        (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
        r = fd < 0 ? -errno : box_open(&ret->box, fd);
        if (r == 0) {
                (void)TAKE_FD(fd);
                return 1;
        }
        manager_drop(ret->name);
        return r;
}

int store_inherited(int *at, struct stored_box *ret)
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(0, &names);
        int r = 0;

        for (; r == 0 && *at < n; (*at)++)
                if (store_is_box(names[*at]))
                        r = take(SD_LISTEN_FDS_START + *at, names[*at], ret);
        free_names(names, n);
        return r;
}

int store_new(struct store *store, const struct box_layout *layout, struct stored_box *ret)
{
        int r;

        *ret = (struct stored_box){0};
        r = box_new(&ret->box, layout);
        if (r < 0)
                return r;
        (void)snprintf(ret->name, sizeof(ret->name), PREFIX "%llu", ++store->last);
        ret->kept = manager_keep(ret->name, ret->box->fd);
        return 0;
}

void store_end(struct stored_box *stored)
{
        if (stored->kept)
                manager_drop(stored->name);
        store_leave(stored);
}

void store_leave(struct stored_box *stored)
{
        box_free(stored->box);
        *stored = (struct stored_box){0};
}
