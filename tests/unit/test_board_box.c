/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The black box: what one process writes another one reads, and what is no box is refused. */
#include "board/box.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RANDOM_HEADERS = 20000 };

static const struct box_layout usual = {.n_flights = 5, .output_size = 100, .log_size = 3 * PAGE};

static struct box *box_of(const struct box_layout *layout)
{
        struct box *box = NULL;

        assert(box_new(&box, layout) == 0);
        return box;
}

static int copy_of(int fd)
{
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        assert(copy >= 0);
        return copy;
}

/* Open a copy of @fd. Return: what box_open() returned; the copy is closed in any case. */
static int opened(int fd)
{
        struct box *box = (void *)&box;
        int copy = copy_of(fd);
        int r = box_open(&box, copy);

        if (r == 0) {
                box_free(box);
        } else {
                assert(box == (void *)&box);
                assert(close(copy) == 0); /* it stayed the caller's */
        }
        assert(fcntl(copy, F_GETFD) < 0);
        return r;
}

static void touch(char *at, size_t size)
{
        if (size == 0)
                return;
        at[0] = 'a';
        at[size - 1] = 'z';
}

/* Each part from its first byte to its last. */
static void touch_all(struct box *box)
{
        touch((char *)box->flights, box->layout.n_flights * sizeof(struct flight));
        touch(box->output, box->layout.output_size);
        touch(box->log, box->layout.log_size);
        assert(box->stack + BOX_STACK_SIZE == (char *)box->header + box->size);
        assert(box->stack[BOX_STACK_SIZE - 1] == '\0');
}

static void test_new_box_is_empty_and_its_parts_have_pages_of_their_own(void)
{
        struct box *box = box_of(&usual);
        const struct box_identity *identity = &box->header->identity;
        char *beginning = (char *)box->header;

        assert(atomic_load(&identity->pid) == 0 && atomic_load(&identity->id) == 0 &&
               atomic_load(&identity->state) == 0 && atomic_load(&identity->started_usec) == 0);
        assert(box_flights_used(box) == 0 && atomic_load(&box->header->crash.signal) == 0);
        assert((char *)box->flights - beginning == PAGE);
        assert((char *)box->output - (char *)box->flights == 2 * PAGE);
        assert((char *)box->log - (char *)box->output == PAGE);
        assert(box->stack - (char *)box->log == 3 * PAGE);
        assert(box->size == 7 * PAGE + BOX_STACK_SIZE);
        assert(fcntl(box->fd, F_GETFD) & FD_CLOEXEC);
        touch_all(box);
        box_free(box);
        box_free(NULL);
}

static void test_box_may_be_without_most_of_its_parts(void)
{
        static const struct box_layout none = {0};
        struct box *box = box_of(&none);

        assert(box->size == PAGE + BOX_STACK_SIZE);
        assert(opened(box->fd) == 0);
        box_free(box);
}

static void test_what_is_written_into_a_box_is_read_by_who_opens_it(void)
{
        struct box *box = box_of(&usual), *other = NULL;

        atomic_store(&box->header->identity.pid, 77);
        atomic_store(&box->header->flights_used, 3);
        memcpy(box->log, "record", 6);
        memcpy(box->output, "output", 6);
        assert(box_open(&other, copy_of(box->fd)) == 0);
        box_free(box);

        assert(atomic_load(&other->header->identity.pid) == 77 && box_flights_used(other) == 3);
        assert(memcmp(other->log, "record", 6) == 0 && memcmp(other->output, "output", 6) == 0);
        assert(other->layout.n_flights == usual.n_flights &&
               other->layout.output_size == usual.output_size &&
               other->layout.log_size == usual.log_size);
        touch_all(other);
        box_free(other);
}

static void test_no_more_flights_are_used_than_there_are(void)
{
        struct box *box = box_of(&usual);

        atomic_store(&box->header->flights_used, UINT32_MAX);
        assert(box_flights_used(box) == usual.n_flights);
        box->header->layout.n_flights = UINT32_MAX; /* only the copy counts */
        assert(box_flights_used(box) == usual.n_flights);
        box_free(box);
}

static void test_nobody_can_change_the_size(void)
{
        struct box *box = box_of(&usual);

        assert(ftruncate(box->fd, 0) < 0 && errno == EPERM);
        assert(ftruncate(box->fd, (off_t)box->size - PAGE) < 0 && errno == EPERM);
        assert(ftruncate(box->fd, (off_t)box->size + PAGE) < 0 && errno == EPERM);
        /* Nor stop the others from writing. */
        assert(fcntl(box->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
        box_free(box);
}

static void test_box_that_is_too_large_is_not_made(void)
{
        static const struct box_layout huge = {.log_size = (uint64_t)1 << 61};
        struct box *box = (void *)&box;
        int before = copy_of(STDERR_FILENO), after;

        assert(close(before) == 0);
        assert(box_new(&box, &huge) < 0 && box == (void *)&box);
        after = copy_of(STDERR_FILENO);
        assert(after == before && close(after) == 0);
}

static void test_other_versions_are_refused(void)
{
        struct box *box = box_of(&usual);

        box->header->version = BOX_VERSION + 1;
        assert(opened(box->fd) == -EPROTONOSUPPORT);
        box->header->version = 0;
        assert(opened(box->fd) == -EPROTONOSUPPORT);
        box->header->version = BOX_VERSION;
        box->header->flight_size++;
        assert(opened(box->fd) == -EPROTONOSUPPORT);
        box->header->flight_size--;
        assert(opened(box->fd) == 0);
        box_free(box);
}

static void test_damaged_headers_are_refused(void)
{
        struct box *box = box_of(&usual);

        box->header->magic[7]++;
        assert(opened(box->fd) == -EBADMSG);
        box->header->magic[7]--;
        box->header->layout.n_flights += 8;
        assert(opened(box->fd) == -EBADMSG);
        box->header->layout.n_flights = UINT32_MAX;
        assert(opened(box->fd) == -EBADMSG);
        box->header->layout = usual;
        box->header->layout.output_size = UINT64_MAX;
        assert(opened(box->fd) == -EBADMSG);
        box->header->layout.output_size = UINT64_MAX - 3 * PAGE + 1; /* with the log: 0 */
        assert(opened(box->fd) == -EBADMSG);
        box->header->layout = usual;
        box->header->layout.log_size = 0;
        assert(opened(box->fd) == -EBADMSG);
        box->header->layout = usual;
        assert(opened(box->fd) == 0);
        box_free(box);
}

/* A file with a copy of what a box of the usual layout begins with. */
static int file_of(off_t size, int seals)
{
        struct box *box = box_of(&usual);
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert(fd >= 0);
        assert(pwrite(fd, box->header, PAGE, 0) == PAGE);
        assert(ftruncate(fd, size < 0 ? (off_t)box->size : size) == 0);
        assert(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
        box_free(box);
        return fd;
}

static void check_file(int fd, int want)
{
        assert(fd >= 0 && opened(fd) == want);
        assert(close(fd) == 0);
}

static void test_only_files_that_cannot_shrink_and_are_of_the_right_size_are_opened(void)
{
        check_file(file_of(-1, F_SEAL_SHRINK), 0);
        check_file(file_of(-1, 0), -EBADMSG);
        check_file(file_of(-1, F_SEAL_GROW), -EBADMSG);
        check_file(file_of(0, F_SEAL_SHRINK), -EBADMSG);
        check_file(file_of(PAGE - 1, F_SEAL_SHRINK), -EBADMSG);
        check_file(file_of(PAGE, F_SEAL_SHRINK), -EBADMSG);
        check_file(file_of(1 << 20, F_SEAL_SHRINK), -EBADMSG);
}

static void test_what_is_no_memory_file_is_refused(void)
{
        struct box *box = NULL;
        int ends[2];

        assert(pipe2(ends, O_CLOEXEC) == 0);
        check_file(ends[0], -EBADMSG);
        check_file(ends[1], -EBADMSG);
        check_file(open("/dev/null", O_RDWR | O_CLOEXEC), -EBADMSG);
        check_file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EBADMSG);
        assert(box_open(&box, -1) == -EBADF && !box);
}

/* Whether the kernel may read, or write, a byte there; unlike a look at it, asking does no harm. */
static bool readable(const void *at)
{
        int ends[2];
        ssize_t n;

        assert(pipe2(ends, O_CLOEXEC) == 0);
        n = write(ends[1], at, 1);
        assert(n == 1 || errno == EFAULT);
        assert(close(ends[0]) == 0 && close(ends[1]) == 0);
        return n == 1;
}

static bool writable(void *at)
{
        int ends[2];
        ssize_t n;

        assert(pipe2(ends, O_CLOEXEC) == 0);
        assert(write(ends[1], "w", 1) == 1);
        n = read(ends[0], at, 1);
        assert(n == 1 || errno == EFAULT);
        assert(close(ends[0]) == 0 && close(ends[1]) == 0);
        return n == 1;
}

static bool child_sees(const struct box *box)
{
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0) {
                bool first = readable(box->header);
                bool last = readable((char *)box->header + box->size - 1);

                _exit(first == last ? first : 2);
        }
        assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
        assert(WEXITSTATUS(status) < 2);
        return WEXITSTATUS(status);
}

static void test_child_sees_a_box_only_when_it_inherits_it(void)
{
        struct box *box = box_of(&usual), *other = NULL;

        assert(readable(box->header) && !child_sees(box));
        box_set_inherited(box, true);
        assert(child_sees(box));
        box_set_inherited(box, false);
        assert(readable(box->header) && !child_sees(box));

        assert(box_open(&other, copy_of(box->fd)) == 0);
        assert(!child_sees(other));
        box_free(other);
        assert(box_view(&other, copy_of(box->fd)) == 0);
        assert(!child_sees(other));
        box_free(other);
        box_free(box);
}

static void test_who_only_views_a_box_cannot_write_into_it(void)
{
        struct box *box = box_of(&usual), *view = NULL;

        assert(box_view(&view, copy_of(box->fd)) == 0);
        memcpy(box->output, "output", 6);
        assert(memcmp(view->output, "output", 6) == 0);
        assert(!writable(view->header) && !writable(view->flights) && !writable(view->output) &&
               !writable(view->log));
        assert(writable(box->output));
        box_free(view);
        box->header->version++;
        assert(box_view(&view, box->fd) == -EPROTONOSUPPORT);
        box_free(box);
}

/* Small numbers are more often nearly right. */
static uint64_t random_size(unsigned *seed)
{
        uint64_t value = (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed) << 11;

        return value >> (unsigned)rand_r(seed) % 64;
}

static struct box_layout random_layout(unsigned *seed)
{
        return (struct box_layout){
                .n_flights = (uint32_t)random_size(seed),
                .output_size = random_size(seed),
                .log_size = random_size(seed),
        };
}

/* One of another box of the usual box's size. */
static struct box_layout fitting_layout(unsigned *seed)
{
        enum { PARTS = 6 * PAGE };
        uint64_t flights = (unsigned)rand_r(seed) % 3 * PAGE;
        uint64_t output = (unsigned)rand_r(seed) % (PARTS - flights + 1);

        return (struct box_layout){
                .n_flights = (uint32_t)(flights / sizeof(struct flight)),
                .output_size = output,
                .log_size = PARTS - flights - (output + PAGE - 1) / PAGE * PAGE,
        };
}

static bool check_open(int fd)
{
        struct box *box;
        int r = box_open(&box, fd);

        if (r == 0) {
                touch_all(box);
                box_free(box);
                return true;
        }
        assert(r == -EBADMSG || r == -EPROTONOSUPPORT);
        assert(close(fd) == 0);
        return false;
}

static void test_whatever_the_header_says_a_box_that_opens_is_within_its_file(void)
{
        struct box *box = box_of(&usual);
        const struct box_header sound = *box->header;
        unsigned seed = 1, n_open = 0;

        for (unsigned i = 0; i < RANDOM_HEADERS; i++) {
                unsigned char *bytes = memcpy(box->header, &sound, sizeof(sound));
                bool fits = i % 2 == 0;

                box->header->layout = fits ? fitting_layout(&seed) : random_layout(&seed);
                for (unsigned n = (unsigned)rand_r(&seed) % 3; n > 0; n--)
                        bytes[(unsigned)rand_r(&seed) % 64] = (unsigned char)(rand_r(&seed) >> 8);
                n_open += check_open(copy_of(box->fd));
        }
        assert(n_open > RANDOM_HEADERS / 8 && n_open < RANDOM_HEADERS * 3 / 4);
        box_free(box);
}

int main(void)
{
        test_new_box_is_empty_and_its_parts_have_pages_of_their_own();
        test_box_may_be_without_most_of_its_parts();
        test_what_is_written_into_a_box_is_read_by_who_opens_it();
        test_no_more_flights_are_used_than_there_are();
        test_nobody_can_change_the_size();
        test_box_that_is_too_large_is_not_made();
        test_other_versions_are_refused();
        test_damaged_headers_are_refused();
        test_only_files_that_cannot_shrink_and_are_of_the_right_size_are_opened();
        test_what_is_no_memory_file_is_refused();
        test_who_only_views_a_box_cannot_write_into_it();
        test_child_sees_a_box_only_when_it_inherits_it();
        test_whatever_the_header_says_a_box_that_opens_is_within_its_file();
        return 0;
}
