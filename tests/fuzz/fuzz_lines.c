/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an application's output: the pieces in which they come do not matter and no byte is
 * lost. Any bytes as the memory in which they are told apart: nothing leaves it, and it ends. */
#include "log/lines.h"

#include <assert.h>
#include <string.h>

#define TEXT_MOST   ((size_t)1 << 17)
#define OUTPUT_SIZE (4 * TEXT_MOST)

static struct lines lines;

/* What was taken: the blocks with a head each, and their bytes alone, without newlines. */
struct output {
        size_t size, n_bytes;
        char text[OUTPUT_SIZE];
        char bytes[TEXT_MOST];
};

static struct output once, pieces;

static void check_bounds(const struct lines_block *block)
{
        assert(block->text >= lines.text && block->size <= LINES_ROOM);
        assert(block->text + block->size <= lines.text + LINES_TEXT);
        assert(block->priority >= -1 && block->priority <= 7);
}

static void append(struct output *output, const void *bytes, size_t size)
{
        assert(output->size + size <= OUTPUT_SIZE);
        memcpy(output->text + output->size, bytes, size);
        output->size += size;
}

static void take_all(bool flush, struct output *ret)
{
        struct lines_block block;

        while (lines_next(&lines, flush, &block)) {
                char head[] = {(char)block.priority, block.cut, (char)block.size,
                               (char)(block.size >> 8)};

                check_bounds(&block);
                assert(block.size > 0);
                append(ret, head, sizeof(head));
                append(ret, block.text, block.size);
                for (size_t i = 0; i < block.size; i++)
                        if (block.text[i] != '\n')
                                ret->bytes[ret->n_bytes++] = block.text[i];
                lines_take(&lines);
        }
}

static void feed(const char *text, size_t size, uint32_t seed, struct output *ret)
{
        lines_init(&lines);
        ret->size = ret->n_bytes = 0;
        while (size > 0) {
                size_t room, piece = LINES_READ;
                char *to = lines_room(&lines, &room);

                assert(room >= LINES_READ);
                if (seed > 0) {
                        seed = seed * 1664525 + 1013904223;
                        piece = 1 + (seed >> 16) % (seed >> 31 ? 8 : 2000);
                }
                piece = piece < size ? piece : size;
                memcpy(to, text, piece);
                lines_add(&lines, piece);
                take_all(false, ret);
                text += piece;
                size -= piece;
        }
        take_all(true, ret);
        assert(!lines_waiting(&lines));
}

/* All that is no end of a line is there, in order; a prefix is not, so there must be none. */
static void check_bytes(const char *text, size_t size, const struct output *output)
{
        size_t n = 0;

        if (memchr(text, '<', size))
                return;
        for (size_t i = 0; i < size; i++) {
                if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == size || text[i + 1] == '\n')))
                        continue;
                assert(n < output->n_bytes && output->bytes[n] == text[i]);
                n++;
        }
        assert(n == output->n_bytes);
}

/* The third byte says how many bytes, up to one more than a block, are put before the text. */
static void tell_apart(const uint8_t *data, size_t size)
{
        static char text[TEXT_MOST];
        size_t before = data[1] >= 128 ? LINES_ROOM + 1 - data[2] % 128U : 0;

        size = size - 3 < TEXT_MOST - before ? size - 3 : TEXT_MOST - before;
        memset(text, ' ' + data[2] / 128, before);
        memcpy(text + before, data + 3, size);
        size += before;

        feed(text, size, 0, &once);
        feed(text, size, 1U + data[1], &pieces);
        assert(once.size == pieces.size && memcmp(once.text, pieces.text, once.size) == 0);
        check_bytes(text, size, &once);
}

static void call(uint8_t what)
{
        struct lines_block block;
        size_t room;
        char *to;

        switch (what % 5) {
        case 0:
                to = lines_room(&lines, &room);
                assert(to >= lines.text && to + room <= lines.text + LINES_TEXT);
                break;
        case 1:
                lines_add(&lines, 700U * what);
                break;
        case 2:
                if (lines_next(&lines, what & 128, &block))
                        check_bounds(&block);
                break;
        case 3:
                lines_take(&lines);
                break;
        default:
                (void)lines_waiting(&lines);
                break;
        }
}

/* The bytes are the struct's head, and, over and over, its text, and the calls. */
static void scribble(const uint8_t *data, size_t size)
{
        size_t head = offsetof(struct lines, text);
        struct lines_block block;

        memset(&lines, 0, head);
        memcpy(&lines, data, size < head ? size : head);
        for (size_t i = 0; i < LINES_TEXT; i++)
                lines.text[i] = (char)data[i % size];
        for (size_t i = 0; i < size && i < 50; i++)
                call(data[size - 1 - i]);
        for (size_t n = 0; lines_next(&lines, true, &block); n++) {
                assert(n < LINES_TEXT);
                check_bounds(&block);
                lines_take(&lines);
        }
        assert(!lines_waiting(&lines));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which of both. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 4)
                return 0;
        if (data[0] % 2 == 0)
                tell_apart(data, size);
        else
                scribble(data + 1, size - 1);
        return 0;
}
