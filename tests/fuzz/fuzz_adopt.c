/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as what a dead process left: its log, adopted, written to, shipped and closed; its
 * black box, opened and told of. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "log/log.h"
#include "master/obituary.h"

#define PAGE 4096

/* Where the log's records go: a socket that nobody has bound for a while, or one that is read. */
struct sink {
        struct sockaddr_un address;
        int fd;
        int console;
};

static struct sink *sink_of_process(void)
{
        static struct sink sink = {.address = {.sun_family = AF_UNIX}};

        if (sink.address.sun_path[0])
                return &sink;
        (void)snprintf(sink.address.sun_path, sizeof(sink.address.sun_path),
                       "/tmp/appsrv-fuzz-adopt-%d", (int)getpid());
        (void)unlink(sink.address.sun_path);
        assert(setenv("APPSRV_JOURNAL_SOCKET", sink.address.sun_path, 1) == 0);
        sink.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sink.console = open("/dev/null", O_WRONLY | O_CLOEXEC);
        assert(sink.fd >= 0 && sink.console >= 0);
        assert(bind(sink.fd, (const struct sockaddr *)&sink.address, sizeof(sink.address)) == 0);
        return &sink;
}

static void read_all(const struct sink *sink)
{
        char byte;

        while (recv(sink->fd, &byte, 1, MSG_TRUNC) >= 0)
                ;
}

/* -- the log -- */

static void commit(struct log *log, enum record_kind kind)
{
        struct ticket ticket = {0};
        struct record record;
        int r;

        record_init(&record, kind, 3);
        record_string(&record, "MESSAGE", "after the end\nof another");
        r = log_commit_for(log, &record, &ticket);
        assert(r == 0 || r == -ENOBUFS);
        assert(log_settled(log, &ticket, kind));
        (void)log_try_commit(log, &record, &ticket);
}

/* Each turn may find room, or nothing more to do; none may go on for ever. */
static void ship(struct log *log, const struct sink *sink)
{
        for (int i = 0; i < 20 && log_ship(log) == -EAGAIN; i++)
                if (i % 2 == 0)
                        read_all(sink);
        (void)log_wake_usec(log);
        (void)log_output_fd(log);
        read_all(sink);
}

static void adopt_log(char *memory, const struct sink *sink, enum log_target target)
{
        const struct log_options options = {
                .target = target,
                .console = sink->console,
                .memory = memory,
                .buffer_size = LOG_BUFFER_MIN,
                .level = 7,
        };
        const size_t size = log_memory_size(LOG_BUFFER_MIN);
        struct log_counters counters = log_memory_counters(memory, size);
        struct log *log = NULL;
        int r = log_adopt(&log, &options);

        assert(counters.used <= counters.capacity);
        assert((r == 0 || r == -EBADMSG) && log);
        counters = log_counters(log);
        assert(counters.used <= counters.capacity);
        ship(log, sink);
        commit(log, RECORD_EVENT);
        commit(log, RECORD_ACCESS);
        ship(log, sink);
        (void)log_close(log, 0, false);
        read_all(sink);
}

/* The input over the beginning of the memory: positions and account; and the rest of it over the
 * records. The first adoption must leave what the second one can adopt. */
static void fuzz_log(const uint8_t *data, size_t size, const struct sink *sink)
{
        const size_t memory_size = log_memory_size(LOG_BUFFER_MIN);
        char *memory = aligned_alloc(PAGE, memory_size);
        size_t head = size < 512 ? size : 512;

        assert(memory);
        memset(memory, 0, memory_size);
        memcpy(memory, data, head);
        for (size_t i = 0; head < size && i < LOG_BUFFER_MIN; i += size - head) {
                size_t left = LOG_BUFFER_MIN - i;

                memcpy(memory + memory_size - LOG_BUFFER_MIN + i, data + head,
                       size - head < left ? size - head : left);
        }
        adopt_log(memory, sink, size % 4 == 0 ? LOG_TARGET_CONSOLE : LOG_TARGET_JOURNAL);
        adopt_log(memory, sink, LOG_TARGET_JOURNAL);
        free(memory);
}

/* -- the black box -- */

static void encode(const struct record *record)
{
        size_t size = record_encoded_size(record);
        char *encoded = malloc(size);
        const char *cursor = encoded;
        struct record_field field;
        size_t name_size;
        int r;

        assert(encoded);
        record_encode(record, encoded);
        while ((r = record_next_field(&cursor, encoded + size, &field, &name_size)) > 0)
                ;
        assert(r == 0 && cursor == encoded + size);
        free(encoded);
}

static void tell(const struct box *box, const struct death *death)
{
        struct obituary *texts = calloc(1, sizeof(*texts));
        struct record record;
        struct flight flight;

        assert(texts);
        obituary_record(&record, texts, death, box);
        encode(&record);
        for (unsigned i = 0; i < box_flights_used(box); i++) {
                struct arena arena = {0};
                struct request request;

                if (!flight_read(&box->flights[i], &flight))
                        continue;
                obituary_access(&record, &request, &flight, death, &arena);
                encode(&record);
                arena_free(&arena);
        }
        free(texts);
}

static void tell_of_all_deaths(const struct box *box)
{
        struct death death = {.subject = {.worker_pid = 77, .worker_id = 1}};

        tell(box, &death);
        death.known = true;
        death.how.si_code = CLD_KILLED;
        death.how.si_status = SIGSEGV;
        tell(box, &death);
        death.cut = true;
        tell(box, &death);
}

/* A file of a box with the input over one of its parts; often its sizes are right. */
static int make_box_file(const uint8_t *data, size_t size)
{
        const struct box_layout layout = {
                .n_flights = 20, .output_size = 2 * PAGE, .log_size = 2 * PAGE};
        struct box *box = NULL;
        size_t at = 0;
        int fd;

        assert(box_new(&box, &layout) == 0);
        if (size > 0 && data[0] % 4 == 1)
                at = offsetof(struct box_header, identity);
        else if (size > 0 && data[0] % 4 == 2)
                at = PAGE;
        else if (size > 0 && data[0] % 4 == 3)
                at = box->size - BOX_STACK_SIZE;
        atomic_store(&box->header->flights_used, 20);
        for (size_t i = 0; i < size && at < box->size; i++, at++)
                ((char *)box->header)[at] = (char)data[i];
        fd = fcntl(box->fd, F_DUPFD_CLOEXEC, 0);
        assert(fd >= 0);
        box_free(box);
        return fd;
}

static void fuzz_box(const uint8_t *data, size_t size)
{
        int fd = make_box_file(data, size);
        struct box *box = NULL;

        if (box_open(&box, fd) < 0) {
                assert(!box && close(fd) == 0);
                return;
        }
        tell_of_all_deaths(box);
        fd = fcntl(box->fd, F_DUPFD_CLOEXEC, 0);
        box_free(box);
        assert(fd >= 0 && box_view(&box, fd) == 0);
        tell_of_all_deaths(box);
        box_free(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_log(data, size, sink_of_process());
        fuzz_box(data, size);
        return 0;
}
