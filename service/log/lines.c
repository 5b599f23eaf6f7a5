/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines into blocks: each line is judged once, by its own text and by what the last line of the
 * block lets follow. */
#include "log/lines.h"

#include <string.h>

#define PREFIX_SIZE 3 /* "<6>" */

#define TRACEBACK "Traceback (most recent call last):"
#define GROUP     "  + Exception Group Traceback (most recent call last):"
#define DURING    "During handling of the above exception, another exception occurred:"
#define CAUSE     "The above exception was the direct cause of the following exception:"
#define FILE_LINE "  File \""

/* What the last line of a block was; indented lines may follow in each. */
enum lines_state {
        STATE_PLAIN,  /* nothing of a traceback */
        STATE_HEADER, /* the line that opens a traceback */
        STATE_FRAMES, /* its indented lines; the next one that is not indented ends it */
        STATE_SYNTAX, /* the same of source that cannot be compiled: no header, one kind of end */
        STATE_DONE,   /* the line that ends a traceback */
        STATE_CHAIN,  /* the line between two tracebacks */
        STATES,
};

/* Where a block begins. */
enum lines_begin {
        BEGIN_FRESH,
        BEGIN_LINE,   /* at a line that belongs to the block before it, which was full */
        BEGIN_MIDDLE, /* in the middle of a line that is too long for one block */
        BEGINS,
};

/* Whether a line belongs to the block before it; ordered so that the larger of two is the answer to
 * "one of both". */
enum verdict {
        BREAKS,
        UNKNOWN, /* not enough of the line is there */
        JOINS,
};

struct line {
        const char *text;
        size_t size;   /* without its newline */
        bool newline;  /* it has one */
        bool complete; /* nothing more belongs to it */
};

/* A look at the struct in which all is within bounds. */
struct view {
        const char *text; /* the bytes that are held */
        size_t size;      /* of them, without a CR at the end, which a newline may follow */
        size_t cr;        /* 1: there is one */
        bool flush;
        struct lines_progress progress;
};

struct held {
        size_t start, size;
};

/* What was found: a block, and what is to be forgotten with it. */
struct found {
        size_t size; /* of its text, a prefix included */
        size_t given;
        bool cut;
        struct lines_progress then;
};

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

static struct held held_of(const struct lines *lines)
{
        uint64_t held = atomic_load_explicit(&lines->held, memory_order_relaxed);
        size_t start = least(held >> 32, LINES_TEXT);

        return (struct held){.start = start, .size = least((uint32_t)held, LINES_TEXT - start)};
}

/* Release: what was stored before is in memory when this is. */
static void hold(struct lines *lines, size_t start, size_t size)
{
        atomic_store_explicit(&lines->held, (uint64_t)(size > 0 ? start : 0) << 32 | size,
                              memory_order_release);
}

static bool plausible(const struct lines_progress *progress, const char *text, size_t size)
{
        size_t seen = (size_t)progress->size + progress->gap;

        if (progress->state >= STATES || progress->begun >= BEGINS || progress->priority < -1 ||
            progress->priority > 7 || progress->n_lines > LINES_MOST || progress->gap > 1)
                return false;
        if (progress->size == 0)
                return progress->gap == 0 && progress->n_lines == 0 && progress->searched <= size;
        return progress->size <= LINES_ROOM + 1 && seen <= progress->searched &&
               progress->searched <= size && text[progress->size - 1] == '\n' &&
               text[seen - 1] == '\n';
}

static struct view view_of(const struct lines *lines, bool flush)
{
        struct held held = held_of(lines);
        struct view view = {.text = lines->text + held.start, .size = held.size, .flush = flush};

        view.cr = view.size > 0 && view.text[view.size - 1] == '\r';
        view.size -= view.cr;
        view.progress = lines->progress;
        if (!plausible(&view.progress, view.text, view.size))
                view.progress = (struct lines_progress){0};
        return view;
}

/* The priority that a line begins with, -1: none. */
static int prefix_of(const char *text, size_t size)
{
        if (size < PREFIX_SIZE || text[0] != '<' || text[1] < '0' || text[1] > '7' ||
            text[2] != '>')
                return -1;
        return text[1] - '0';
}

static bool indented(const struct line *line)
{
        return line->size > 0 && (line->text[0] == ' ' || line->text[0] == '\t');
}

static bool ends_with(const struct line *line, const char *text)
{
        size_t size = strlen(text);

        return line->size >= size && memcmp(line->text + line->size - size, text, size) == 0;
}

/* Whether the line begins with @text. */
static enum verdict begins(const struct line *line, const char *text)
{
        size_t size = strlen(text);

        if (memcmp(line->text, text, least(line->size, size)) != 0)
                return BREAKS;
        if (line->size >= size)
                return JOINS;
        return line->complete ? BREAKS : UNKNOWN;
}

/* Whether the line is @text. */
static enum verdict is(const struct line *line, const char *text)
{
        if (line->size > strlen(text))
                return BREAKS;
        if (!line->complete && begins(line, text) == JOINS)
                return UNKNOWN;
        return begins(line, text);
}

static enum verdict either(enum verdict one, enum verdict other)
{
        return one > other ? one : other;
}

static enum verdict ends_syntax(const struct line *line)
{
        return either(begins(line, "SyntaxError:"),
                      either(begins(line, "IndentationError:"), begins(line, "TabError:")));
}

/* The line that ends a traceback can be any; only a prefix says that it is another's. */
static enum verdict ends_frames(const struct line *line)
{
        if (!line->complete && line->size < PREFIX_SIZE)
                return UNKNOWN;
        return prefix_of(line->text, line->size) < 0 ? JOINS : BREAKS;
}

/* Whether a line belongs to the block behind which it stands. */
static enum verdict judge(const struct lines_progress *progress, const struct line *line)
{
        if (progress->gap && progress->state == STATE_CHAIN)
                return either(is(line, TRACEBACK), is(line, GROUP));
        if (progress->gap)
                return either(is(line, DURING), is(line, CAUSE));
        if (line->size == 0)
                return line->complete ? BREAKS : UNKNOWN;
        if (indented(line))
                return JOINS;

        switch ((enum lines_state)progress->state) {
        case STATE_PLAIN:
        case STATE_CHAIN:
                return is(line, TRACEBACK);
        case STATE_SYNTAX:
                return either(is(line, TRACEBACK), ends_syntax(line));
        case STATE_FRAMES:
                return ends_frames(line);
        case STATE_HEADER:
        case STATE_DONE:
        case STATES:
                break;
        }
        return BREAKS;
}

/* The state of a block to which the line was added. */
static enum lines_state state_after(const struct lines_progress *progress, const struct line *line)
{
        enum lines_state state = progress->state;

        if (progress->size == 0 && progress->begun == BEGIN_MIDDLE)
                return state;
        if (progress->size == 0 && progress->begun == BEGIN_FRESH)
                state = begins(line, FILE_LINE) == JOINS ? STATE_SYNTAX : STATE_PLAIN;
        if (indented(line)) {
                if (state == STATE_HEADER)
                        return STATE_FRAMES;
                return state == STATE_CHAIN ? STATE_PLAIN : state;
        }
        if (ends_with(line, TRACEBACK))
                return STATE_HEADER;
        if (is(line, DURING) == JOINS || is(line, CAUSE) == JOINS)
                return STATE_CHAIN;
        return state == STATE_PLAIN ? STATE_PLAIN : STATE_DONE;
}

/* The line behind the block, as far as it is there. */
static struct line next_line(struct view *view)
{
        struct lines_progress *progress = &view->progress;
        size_t from = (size_t)progress->size + progress->gap;
        size_t searched = progress->searched > from ? progress->searched : from;
        const char *newline = memchr(view->text + searched, '\n', view->size - searched);
        size_t to = newline ? (size_t)(newline - view->text) : view->size;

        progress->searched = (uint32_t)to;
        return (struct line){
                .text = view->text + from,
                .size = to - from,
                .newline = newline != NULL,
                .complete = newline || view->flush,
        };
}

/* Whether a line says nothing: empty, or no more than a prefix. */
static bool blank(const struct lines_progress *progress, const struct line *line)
{
        return line->size == 0 || (progress->begun == BEGIN_FRESH && line->size == PREFIX_SIZE &&
                                   prefix_of(line->text, line->size) >= 0);
}

/* What one more line meant. */
enum step {
        STEP_MORE, /* there may be more of them to look at */
        STEP_WAIT, /* not enough is there to know */
        STEP_FOUND,
};

static enum step drop(struct view *view, const struct line *line)
{
        if (!line->newline)
                return STEP_WAIT;
        view->text += line->size + 1;
        view->size -= line->size + 1;
        view->progress.searched = 0;
        return STEP_MORE;
}

static enum step add_gap(struct lines_progress *progress)
{
        progress->gap = 1;
        progress->searched = progress->size + 1;
        return STEP_MORE;
}

static bool fits(const struct lines_progress *progress, const struct line *line)
{
        return progress->size + progress->gap + line->size <= LINES_ROOM &&
               progress->n_lines + progress->gap < LINES_MOST;
}

static enum step join(struct view *view, const struct line *line, struct found *ret)
{
        struct lines_progress *progress = &view->progress;

        if (!line->complete)
                return STEP_WAIT;
        if (!line->newline) {
                *ret = (struct found){.size = view->size, .given = view->size + view->cr};
                return STEP_FOUND;
        }
        progress->state = (uint8_t)state_after(progress, line);
        progress->size += progress->gap + (uint32_t)line->size + 1;
        progress->n_lines += progress->gap + 1U;
        progress->gap = 0;
        progress->searched = progress->size;
        return STEP_MORE;
}

static int priority_of(const struct view *view)
{
        return view->progress.begun == BEGIN_FRESH ? prefix_of(view->text, view->size)
                                                   : view->progress.priority;
}

/* The progress of the block that goes on with what this one has no room for. */
static struct lines_progress rest(const struct view *view, enum lines_begin begun)
{
        return (struct lines_progress){
                .state = view->progress.state,
                .begun = (uint8_t)begun,
                .priority = (int8_t)priority_of(view),
        };
}

/* The block ends before the line, which would belong to it or not. */
static enum step end_before(const struct view *view, enum verdict verdict, struct found *ret)
{
        *ret = (struct found){.size = view->progress.size - 1, .given = view->progress.size};
        if (verdict == JOINS)
                ret->then = rest(view, BEGIN_LINE);
        return STEP_FOUND;
}

static bool continuation(char byte)
{
        return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Where a line that is too long is cut: before a character that would be torn. */
static size_t cut_at(const char *text)
{
        size_t at = LINES_ROOM;

        while (at > LINES_ROOM - 3 && continuation(text[at]))
                at--;
        return continuation(text[at]) ? LINES_ROOM : at;
}

static enum step cut(const struct view *view, const struct line *line, struct found *ret)
{
        struct line piece = {.text = line->text, .size = cut_at(line->text), .complete = true};

        *ret = (struct found){
                .size = piece.size,
                .given = piece.size,
                .cut = true,
                .then = rest(view, BEGIN_MIDDLE),
        };
        ret->then.state = (uint8_t)state_after(&view->progress, &piece);
        return STEP_FOUND;
}

static enum step step(struct view *view, struct found *ret)
{
        struct lines_progress *progress = &view->progress;
        struct line line = next_line(view);
        enum verdict verdict = JOINS;

        if (progress->size == 0 && blank(progress, &line))
                return drop(view, &line);
        if (progress->size > 0 && progress->gap == 0 && line.newline && line.size == 0)
                return add_gap(progress);
        if (progress->size > 0)
                verdict = judge(progress, &line);
        if (verdict == UNKNOWN)
                return STEP_WAIT;
        if (verdict == JOINS && fits(progress, &line))
                return join(view, &line, ret);
        return progress->size > 0 ? end_before(view, verdict, ret) : cut(view, &line, ret);
}

/* Every step but the last leaves a newline behind, so they end. */
static bool find(struct view *view, struct found *ret)
{
        enum step last;

        do
                last = step(view, ret);
        while (last == STEP_MORE);
        return last == STEP_FOUND;
}

/* Take the CR out of every CR LF. Return the new end. */
static char *squeeze(char *from, const char *end)
{
        char *to = from;

        while (from < end) {
                char *cr = memchr(from, '\r', (size_t)(end - from));
                size_t size = cr ? (size_t)(cr - from) : (size_t)(end - from);

                if (to != from)
                        memmove(to, from, size);
                to += size;
                from += size;
                if (cr) {
                        if (cr + 1 == end || cr[1] != '\n')
                                *to++ = '\r';
                        from++;
                }
        }
        return to;
}

void lines_init(struct lines *lines)
{
        hold(lines, 0, 0);
        lines->given = 0;
        lines->progress = lines->then = (struct lines_progress){0};
}

void *lines_room(struct lines *lines, size_t *ret_size)
{
        struct held held = held_of(lines);

        if (LINES_TEXT - held.start - held.size < LINES_READ && held.start >= held.size) {
                memcpy(lines->text, lines->text + held.start, held.size);
                held.start = 0;
                hold(lines, held.start, held.size);
        }
        *ret_size = LINES_TEXT - held.start - held.size;
        return lines->text + held.start + held.size;
}

void lines_add(struct lines *lines, size_t size)
{
        struct held held = held_of(lines);
        char *text = lines->text + held.start, *end = text + held.size;

        size = least(size, LINES_TEXT - held.start - held.size);
        if (size == 0)
                return;
        if (held.size > 0 && end[-1] == '\r')
                held.size = (size_t)(squeeze(end - 1, end + size) - text);
        else
                held.size = (size_t)(squeeze(end, end + size) - text);
        hold(lines, held.start, held.size);
}

bool lines_next(struct lines *lines, bool flush, struct lines_block *ret)
{
        struct view view = view_of(lines, flush);
        struct found found = {0};
        bool is_found = find(&view, &found);

        lines->progress = view.progress;
        hold(lines, (size_t)(view.text - lines->text), view.size + view.cr);
        lines->given = (uint32_t)found.given;
        lines->given_start = (uint32_t)(view.text - lines->text);
        lines->then = found.then;
        if (!is_found)
                return false;

        *ret = (struct lines_block){
                .text = view.text,
                .size = found.size,
                .priority = priority_of(&view),
                .cut = found.cut,
        };
        if (view.progress.begun == BEGIN_FRESH && ret->priority >= 0) {
                ret->text += PREFIX_SIZE;
                ret->size -= PREFIX_SIZE;
        }
        return true;
}

void lines_take(struct lines *lines)
{
        struct held held = held_of(lines);
        size_t given = least(lines->given, held.size);

        /* Whoever was killed in here may have taken it: then nothing begins there any more. */
        if (given == 0 || lines->given_start != held.start)
                return;
        lines->progress = lines->then;
        hold(lines, held.start + given, held.size - given);
        lines->given = 0;
}

bool lines_waiting(const struct lines *lines)
{
        struct view view = view_of(lines, true);
        struct found found = {0};

        return find(&view, &found);
}
