/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The box as a sealed memfd, its parts one behind the other on pages of their own. */
#include "board/box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "board/sealed.h"

#define PAGE ((uint64_t)4096)

/* Above all that settings allow: 65536 connections, 1 GiB of log. */
#define FLIGHTS_MAX (1U << 20)
#define PART_MAX    ((uint64_t)1 << 36)

static const char magic[8] = "appsrvBB";

_Static_assert(sizeof(struct box_header) <= PAGE, "the header has one page");

static uint64_t pages(uint64_t size)
{
        return (size + PAGE - 1) & ~(PAGE - 1);
}

static uint64_t flights_size(const struct box_layout *layout)
{
        return pages((uint64_t)layout->n_flights * sizeof(struct flight));
}

static uint64_t whole_size(const struct box_layout *layout)
{
        return PAGE + flights_size(layout) + pages(layout->output_size) + pages(layout->log_size) +
               BOX_STACK_SIZE;
}

static void place_parts(struct box *box)
{
        char *at = (char *)box->header + PAGE;

        box->flights = (struct flight *)(void *)at;
        at += flights_size(&box->layout);
        box->output = at;
        at += pages(box->layout.output_size);
        box->log = at;
        at += pages(box->layout.log_size);
        box->stack = at;
}

/* NULL: there is no memory. @fd stays the caller's as long as it fails. */
static struct box *map_box(int fd, size_t size, int protection)
{
        struct box *box = calloc(1, sizeof(*box));
        void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

        if (!box || memory == MAP_FAILED) {
                if (memory != MAP_FAILED)
                        (void)munmap(memory, size);
                free(box);
                return NULL;
        }
        box->fd = fd;
        box->size = size;
        box->header = memory;
        box_set_inherited(box, false);
        return box;
}

static void unmap_box(struct box *box)
{
        (void)munmap(box->header, box->size);
        free(box);
}

/* -- making -- */

int box_new(struct box **ret, const struct box_layout *layout)
{
        _cleanup_close_ int fd = sealed_new("appsrv-blackbox", whole_size(layout));
        struct box *box;

        if (fd < 0)
                return fd;
        box = map_box(fd, whole_size(layout), PROT_READ | PROT_WRITE);
        if (!box)
                return -ENOMEM;
        (void)TAKE_FD(fd);
        box->layout = *layout;
        place_parts(box);
        memcpy(box->header->magic, magic, sizeof(magic));
        box->header->version = BOX_VERSION;
        box->header->flight_size = sizeof(struct flight);
        box->header->layout = *layout;
        *ret = box;
        return 0;
}

/* -- opening -- */

/* Return: 0, or why this is no header of a file of @size bytes. @layout: a copy of the header's,
 * since a process that lives may change that at any time. */
static int check(const struct box_header *header, const struct box_layout *layout, uint64_t size)
{
        if (memcmp(header->magic, magic, sizeof(magic)) != 0)
                return -EBADMSG;
        if (header->version != BOX_VERSION || header->flight_size != sizeof(struct flight))
                return -EPROTONOSUPPORT;
        if (layout->n_flights > FLIGHTS_MAX || layout->output_size > PART_MAX ||
            layout->log_size > PART_MAX || whole_size(layout) != size)
                return -EBADMSG;
        return 0;
}

static int open_box(struct box **ret, int fd, int protection)
{
        off_t size = sealed_size(fd);
        struct box *box;
        int r;

        if (size < (off_t)PAGE)
                return size < 0 ? (int)size : -EBADMSG;
        box = map_box(fd, (size_t)size, protection);
        if (!box)
                return -ENOMEM;
        box->layout = box->header->layout;
        r = check(box->header, &box->layout, box->size);
        if (r < 0) {
                unmap_box(box);
                return r;
        }
        place_parts(box);
        *ret = box;
        return 0;
}

int box_open(struct box **ret, int fd)
{
        return open_box(ret, fd, PROT_READ | PROT_WRITE);
}

int box_view(struct box **ret, int fd)
{
        return open_box(ret, fd, PROT_READ);
}

void box_set_inherited(struct box *box, bool inherited)
{
        (void)madvise(box->header, box->size, inherited ? MADV_DOFORK : MADV_DONTFORK);
}

unsigned box_flights_used(const struct box *box)
{
        uint32_t used = atomic_load(&box->header->flights_used);

        return used < box->layout.n_flights ? used : box->layout.n_flights;
}

void box_free(struct box *box)
{
        if (!box)
                return;
        close_descriptor(&box->fd);
        unmap_box(box);
}
