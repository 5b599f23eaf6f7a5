/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the pipe into lines, from lines into records. */
#include "log/output.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "log/lines.h"

/* Read at once; so much is zeroed before. */
#define READ_SIZE 4096

#define APP_NAME_MAX 33

enum { NOTICE = 5, INFO = 6 };

struct stream {
        struct lines lines;
        struct ticket ticket;     /* of the block that is being committed */
        _Atomic uint64_t reading; /* where bytes are being read to, plus 1; true as long as
                                     lines.held ends there; 0: what was read is noted */
};

struct output_memory {
        struct stream streams[OUTPUT_STREAMS];
        char app[APP_NAME_MAX];
        _Atomic uint64_t printed; /* bytes that went through tail[] */
        char tail[OUTPUT_TAIL_MAX];
};

size_t output_memory_size(void)
{
        return sizeof(struct output_memory);
}

void output_begin(struct output *output, const char *app)
{
        size_t size = app ? strnlen(app, APP_NAME_MAX - 1) : 0;

        if (size > 0)
                memcpy(output->memory->app, app, size);
}

/* -- reading -- */

/*
 * A fatal signal can end the process between read(2) and the note of what was read, and it does
 * when another thread prints why it aborts and aborts. So the memory is zeroed before, and what is
 * not zero afterwards was read.
 */
static void salvage(struct stream *stream)
{
        size_t size;
        char *room = lines_room(&stream->lines, &size);
        uint64_t at = (uint64_t)(room - stream->lines.text) + 1;

        if (atomic_load(&stream->reading) != at)
                return;
        size = size < READ_SIZE ? size : READ_SIZE;
        while (size > 0 && room[size - 1] == '\0')
                size--;
        lines_add(&stream->lines, size);
}

void output_adopt(struct output *output)
{
        output->memory->app[APP_NAME_MAX - 1] = '\0';
        for (size_t i = 0; i < OUTPUT_STREAMS; i++) {
                struct stream *stream = &output->memory->streams[i];

                if (log_settled(output->log, &stream->ticket, RECORD_OUTPUT))
                        lines_take(&stream->lines);
                ticket_clear(&stream->ticket);
                salvage(stream);
        }
}

ssize_t output_read(struct output *output, unsigned stream_number, int fd)
{
        struct stream *stream = &output->memory->streams[stream_number];
        size_t size;
        char *room = lines_room(&stream->lines, &size);
        ssize_t n;

        if (size == 0)
                return -ENOBUFS;
        size = size < READ_SIZE ? size : READ_SIZE;
        memset(room, 0, size);
        atomic_store(&stream->reading, (uint64_t)(room - stream->lines.text) + 1);
        n = read(fd, room, size);
        if (n < 0)
                return -errno;
        lines_add(&stream->lines, (size_t)n);
        atomic_store(&stream->reading, 0);
        return n;
}

/* -- records -- */

static void note_tail(struct output_memory *memory, const char *text, size_t size)
{
        uint64_t printed = atomic_load(&memory->printed);
        size_t skipped = size > OUTPUT_TAIL_MAX ? size - OUTPUT_TAIL_MAX : 0;

        for (size_t i = skipped; i < size; i++)
                memory->tail[(printed + i) % OUTPUT_TAIL_MAX] = text[i];
        memory->tail[(printed + size) % OUTPUT_TAIL_MAX] = '\n';
        atomic_store(&memory->printed, printed + size + 1);
}

void output_record(struct record *record, const struct record_subject *subject, unsigned stream,
                   const char *app, int priority)
{
        static const char *const names[OUTPUT_STREAMS] = {"stdout", "stderr"};
        static const int priorities[OUTPUT_STREAMS] = {INFO, NOTICE};

        record_init(record, RECORD_OUTPUT, priority >= 0 ? priority : priorities[stream]);
        record_subject(record, subject);
        record_string(record, "STREAM", names[stream]);
        record_string(record, "APP", app[0] ? app : NULL);
}

static void fill_record(struct record *record, const struct output *output, unsigned stream,
                        const struct lines_block *block)
{
        output_record(record, &output->subject, stream, output->memory->app, block->priority);
        if (block->cut)
                record_string(record, "CUT", "1");
        record_bytes(record, "MESSAGE", block->text, block->size);
}

int output_commit(struct output *output, unsigned stream_number, bool flush, bool wait)
{
        struct stream *stream = &output->memory->streams[stream_number];
        struct lines_block block;
        struct record record;

        while (lines_next(&stream->lines, flush, &block)) {
                fill_record(&record, output, stream_number, &block);
                if (wait)
                        (void)log_commit_for(output->log, &record, &stream->ticket);
                else if (log_try_commit(output->log, &record, &stream->ticket) == -EAGAIN)
                        return -EAGAIN;
                note_tail(output->memory, block.text, block.size);
                lines_take(&stream->lines);
                ticket_clear(&stream->ticket);
        }
        return 0;
}

bool output_waiting(const struct output *output, unsigned stream)
{
        return lines_waiting(&output->memory->streams[stream].lines);
}

size_t output_tail(const struct output_memory *memory, char text[static OUTPUT_TAIL_MAX])
{
        uint64_t printed = atomic_load(&memory->printed);
        size_t size = printed < OUTPUT_TAIL_MAX ? (size_t)printed : OUTPUT_TAIL_MAX;
        const char *newline;

        for (size_t i = 0; i < size; i++)
                text[i] = memory->tail[(printed - size + i) % OUTPUT_TAIL_MAX];
        while (size > 0 && text[size - 1] == '\n')
                size--;
        /* The first line is not whole. */
        newline = printed > OUTPUT_TAIL_MAX ? memchr(text, '\n', size) : NULL;
        if (newline) {
                size -= (size_t)(newline + 1 - text);
                memmove(text, newline + 1, size);
        }
        return size;
}
