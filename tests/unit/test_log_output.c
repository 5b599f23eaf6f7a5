/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is printed into a pipe becomes records, once, also when the reader is killed meanwhile. */
#include "log/output.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "log/lines.h"
#include "skip.h"
#include "test_log_journald.h"

/* A block may take a quarter of it. */
#define BUFFER_SIZE ((size_t)256 << 10)

static const struct record_subject worker = {.worker_pid = 77, .worker_id = 3, .generation = 2};

struct bench {
        struct journald journald;
        void *log_memory; /* both outlive a child */
        void *memory;
        struct log *log;
        struct output output;
        int pipe[2];
};

static void *shared(size_t size)
{
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert(memory != MAP_FAILED);
        return memory;
}

static struct log_options options_of(const struct bench *bench)
{
        return (struct log_options){
                .target = LOG_TARGET_JOURNAL,
                .console = STDERR_FILENO,
                .level = 3,
                .buffer_size = BUFFER_SIZE,
                .memory = bench->log_memory,
        };
}

static void open_log(struct bench *bench)
{
        const struct log_options options = options_of(bench);

        assert(log_open(&bench->log, &options) == 0);
        bench->output = (struct output){
                .memory = bench->memory,
                .log = bench->log,
                .subject = worker,
        };
}

static void bench_begin(struct bench *bench)
{
        *bench = (struct bench){
                .log_memory = shared(log_memory_size(BUFFER_SIZE)),
                .memory = shared(output_memory_size()),
        };
        journald_start(&bench->journald);
        assert(pipe2(bench->pipe, O_CLOEXEC | O_NONBLOCK) == 0);
        open_log(bench);
        output_begin(&bench->output, "shop");
}

static void bench_end(struct bench *bench)
{
        log_abandon(bench->log);
        assert(close(bench->pipe[0]) == 0 && close(bench->pipe[1]) == 0);
        assert(munmap(bench->memory, output_memory_size()) == 0);
        assert(munmap(bench->log_memory, log_memory_size(BUFFER_SIZE)) == 0);
        journald_remove(&bench->journald);
}

/* The process is dead: another one goes on with what it left. */
static void adopt(struct bench *bench)
{
        const struct log_options options = options_of(bench);

        log_abandon(bench->log);
        assert(log_adopt(&bench->log, &options) == 0);
        bench->output.log = bench->log;
        output_adopt(&bench->output);
}

static void print(const struct bench *bench, const char *text)
{
        assert(write(bench->pipe[1], text, strlen(text)) == (ssize_t)strlen(text));
}

/* All that is in the pipe. */
static void read_all(struct bench *bench, unsigned stream)
{
        ssize_t n;

        while ((n = output_read(&bench->output, stream, bench->pipe[0])) > 0)
                assert(output_commit(&bench->output, stream, false, true) == 0);
        assert(n == -EAGAIN);
}

static void print_as(struct bench *bench, unsigned stream, const char *text)
{
        print(bench, text);
        read_all(bench, stream);
        assert(output_commit(&bench->output, stream, true, true) == 0);
        (void)log_ship(bench->log);
}

static void expect(struct bench *bench, const char *message, const char *priority)
{
        struct entry entry;

        assert(journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "MESSAGE", message) && entry_has(&entry, "PRIORITY", priority));
        entry_free(&entry);
}

static void expect_nothing(struct bench *bench)
{
        struct entry entry;

        assert(!journald_receive(&bench->journald, &entry, MSG_DONTWAIT));
}

/* -- records -- */

static void test_a_line_is_a_record_that_says_where_it_is_from(void)
{
        struct record_field field;
        struct bench bench;
        struct entry entry;

        bench_begin(&bench);
        print_as(&bench, OUTPUT_STDERR, "hello\n");
        assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "RECORD", "output") && entry_has(&entry, "STREAM", "stderr"));
        assert(entry_has(&entry, "APP", "shop") && entry_has(&entry, "MESSAGE", "hello"));
        assert(entry_has(&entry, "WORKER_PID", "77") && entry_has(&entry, "WORKER_ID", "3") &&
               entry_has(&entry, "GENERATION", "2") && entry_has(&entry, "PRIORITY", "5"));
        assert(entry_find(&entry, "CUT", &field) == 0);
        entry_free(&entry);

        print_as(&bench, OUTPUT_STDOUT, "hello\n");
        assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
        assert(entry_has(&entry, "STREAM", "stdout") && entry_has(&entry, "PRIORITY", "6"));
        entry_free(&entry);
        expect_nothing(&bench);
        bench_end(&bench);
}

static void test_of_several_applications_nobody_knows_which(void)
{
        struct record_field field;
        struct bench bench;
        struct entry entry;

        bench_begin(&bench);
        memset(bench.memory, 0, output_memory_size());
        output_begin(&bench.output, NULL);
        print_as(&bench, OUTPUT_STDOUT, "hello\n");
        assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
        assert(entry_find(&entry, "APP", &field) == 0);
        entry_free(&entry);
        bench_end(&bench);
}

static void test_a_name_that_is_too_long_is_cut(void)
{
        static const char name[] = "a234567890123456789012345678901234567890";
        struct record_field field;
        struct bench bench;
        struct entry entry;

        bench_begin(&bench);
        output_begin(&bench.output, name);
        print_as(&bench, OUTPUT_STDOUT, "hello\n");
        assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
        assert(entry_find(&entry, "APP", &field) == 1 && field.size == 32 &&
               memcmp(field.value, name, field.size) == 0);
        entry_free(&entry);
        bench_end(&bench);
}

static void test_a_prefix_is_the_priority(void)
{
        struct bench bench;

        bench_begin(&bench);
        print_as(&bench, OUTPUT_STDOUT, "<3>bad\n<7>less so\n<8>none\nplain\n");
        expect(&bench, "bad", "3");
        expect(&bench, "less so", "7");
        expect(&bench, "<8>none", "6");
        expect(&bench, "plain", "6");
        expect_nothing(&bench);
        bench_end(&bench);
}

static void test_a_traceback_is_one_record(void)
{
        static const char traceback[] = "Traceback (most recent call last):\n"
                                        "  File \"shop.py\", line 3, in serve\n"
                                        "    raise ValueError\n"
                                        "ValueError: 7";
        struct bench bench;

        bench_begin(&bench);
        print(&bench, traceback);
        print_as(&bench, OUTPUT_STDERR, "\nafter it\n");
        expect(&bench, traceback, "5");
        expect(&bench, "after it", "5");
        expect_nothing(&bench);
        bench_end(&bench);
}

static void test_both_streams_are_told_apart_in_the_middle_of_a_line(void)
{
        struct bench bench;

        bench_begin(&bench);
        print(&bench, "of std");
        read_all(&bench, OUTPUT_STDOUT);
        print(&bench, "an err");
        read_all(&bench, OUTPUT_STDERR);
        print_as(&bench, OUTPUT_STDOUT, "out\n");
        expect(&bench, "of stdout", "6");
        expect_nothing(&bench);
        print_as(&bench, OUTPUT_STDERR, "or\n");
        expect(&bench, "an error", "5");
        bench_end(&bench);
}

static void test_what_may_go_on_waits_for_a_flush(void)
{
        struct bench bench;

        bench_begin(&bench);
        assert(!output_waiting(&bench.output, OUTPUT_STDOUT));
        print(&bench, "one\ntwo");
        read_all(&bench, OUTPUT_STDOUT);
        (void)log_ship(bench.log);
        expect(&bench, "one", "6");
        expect_nothing(&bench);
        assert(output_waiting(&bench.output, OUTPUT_STDOUT));
        assert(!output_waiting(&bench.output, OUTPUT_STDERR));
        assert(output_commit(&bench.output, OUTPUT_STDOUT, true, true) == 0);
        (void)log_ship(bench.log);
        expect(&bench, "two", "6");
        assert(!output_waiting(&bench.output, OUTPUT_STDOUT));
        bench_end(&bench);
}

static void test_a_line_without_an_end_comes_in_pieces(void)
{
        struct record_field field = {0};
        size_t size = 0;
        struct bench bench;
        struct entry entry;
        char text[1001];

        bench_begin(&bench);
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (int i = 0; i < 100; i++) {
                print(&bench, text);
                read_all(&bench, OUTPUT_STDOUT);
        }
        print_as(&bench, OUTPUT_STDOUT, "\n");
        for (int i = 0; i < 3; i++) {
                assert(journald_receive(&bench.journald, &entry, MSG_DONTWAIT));
                assert(entry_find(&entry, "MESSAGE", &field) == 1);
                size += field.size;
                assert(entry_find(&entry, "CUT", &field) == (i < 2));
                entry_free(&entry);
        }
        assert(size == 100000);
        expect_nothing(&bench);
        bench_end(&bench);
}

/* -- reading -- */

static void test_read_says_what_is_wrong(void)
{
        struct bench bench;
        int ends[2];

        bench_begin(&bench);
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == -EAGAIN);
        assert(output_read(&bench.output, OUTPUT_STDOUT, -1) == -EBADF);
        assert(pipe2(ends, O_CLOEXEC) == 0 && close(ends[1]) == 0);
        assert(output_read(&bench.output, OUTPUT_STDOUT, ends[0]) == 0);
        assert(close(ends[0]) == 0);
        print(&bench, "ab");
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == 2);
        bench_end(&bench);
}

static void test_without_commits_there_is_no_room_any_more(void)
{
        struct bench bench;
        size_t size = 0;
        ssize_t n;

        bench_begin(&bench);
        do {
                print(&bench, "0123456789abcde\n");
                n = output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]);
                size += n > 0 ? (size_t)n : 0;
                assert(size <= LINES_TEXT);
        } while (n > 0);
        assert(n == -ENOBUFS && size > LINES_TEXT - LINES_READ);
        assert(output_commit(&bench.output, OUTPUT_STDOUT, false, true) == 0);
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == 16);
        bench_end(&bench);
}

/* -- no room in the log -- */

static void fill(struct log *log)
{
        static const char text[1000];
        struct record record;

        do {
                record_init(&record, RECORD_APP, 3);
                record_bytes(&record, "FILL", text, sizeof(text));
        } while (log_try_commit(log, &record, NULL) == 0);
}

/* Records that are no filling. */
static unsigned receive_numbers(struct bench *bench, unsigned long next)
{
        struct record_field field;
        struct entry entry;
        unsigned n = 0;

        while (journald_receive(&bench->journald, &entry, MSG_DONTWAIT)) {
                if (entry_find(&entry, "FILL", &field) == 0)
                        assert(entry_number(&entry, "MESSAGE") == next + n++);
                entry_free(&entry);
        }
        return n;
}

/* Until the log has nothing to send any more. */
static unsigned ship_all(struct bench *bench, unsigned next)
{
        unsigned n = 0;
        int r;

        do {
                r = log_ship(bench->log);
                n += receive_numbers(bench, next + n);
        } while (r == -EAGAIN);
        return n;
}

static void test_what_has_no_room_now_is_held(void)
{
        char line[2] = "0";
        struct bench bench;
        unsigned received = 0;
        int r;

        bench_begin(&bench);
        for (; line[0] <= '9'; line[0]++) {
                print(&bench, line);
                print(&bench, "\n");
        }
        read_all(&bench, OUTPUT_STDERR); /* the last line may go on */
        print(&bench, "10");
        fill(bench.log);
        while (output_read(&bench.output, OUTPUT_STDERR, bench.pipe[0]) > 0)
                ;
        do {
                r = output_commit(&bench.output, OUTPUT_STDERR, true, false);
                received += ship_all(&bench, received);
        } while (r == -EAGAIN);
        assert(r == 0 && received == 11 && log_counters(bench.log).lost == 0);
        bench_end(&bench);
}

static void test_no_room_changes_nothing(void)
{
        struct bench bench;

        bench_begin(&bench);
        fill(bench.log);
        print(&bench, "0\n1\n");
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == 4);
        for (int i = 0; i < 3; i++)
                assert(output_commit(&bench.output, OUTPUT_STDOUT, true, false) == -EAGAIN);
        assert(output_waiting(&bench.output, OUTPUT_STDOUT));
        assert(log_counters(bench.log).lost == 0);
        bench_end(&bench);
}

static void test_who_waits_in_vain_loses_with_a_count(void)
{
        char tail[OUTPUT_TAIL_MAX];
        struct bench bench;

        bench_begin(&bench);
        journald_stop(&bench.journald);
        fill(bench.log);
        print(&bench, "0\n1\n");
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == 4);
        assert(output_commit(&bench.output, OUTPUT_STDOUT, true, true) == 0);
        assert(!output_waiting(&bench.output, OUTPUT_STDOUT));
        assert(log_counters(bench.log).lost == 2);
        assert(output_tail(bench.memory, tail) == 3 && memcmp(tail, "0\n1", 3) == 0);
        journald_listen(&bench.journald);
        bench_end(&bench);
}

/* -- the end of all that was printed -- */

static void test_the_tail_is_of_both_streams_and_has_whole_lines(void)
{
        char tail[OUTPUT_TAIL_MAX], line[32];
        size_t size;
        struct bench bench;

        bench_begin(&bench);
        assert(output_tail(bench.memory, tail) == 0);
        print_as(&bench, OUTPUT_STDOUT, "one\n");
        print_as(&bench, OUTPUT_STDERR, "<3>two\n  more\n");
        size = output_tail(bench.memory, tail);
        assert(size == 14 && memcmp(tail, "one\ntwo\n  more", size) == 0);

        for (int i = 1000; i < 1300; i++) {
                (void)snprintf(line, sizeof(line), "line %d\n", i);
                print_as(&bench, OUTPUT_STDOUT, line);
        }
        size = output_tail(bench.memory, tail);
        assert(size > OUTPUT_TAIL_MAX - 20 && size % 10 == 9);
        assert(memcmp(tail, "line 1", 6) == 0 && memcmp(tail + size - 9, "line 1299", 9) == 0);
        bench_end(&bench);
}

static void check_tail_of(size_t line_size, size_t want)
{
        char line[4 * OUTPUT_TAIL_MAX] = "", tail[OUTPUT_TAIL_MAX];
        struct bench bench;

        assert(line_size + 1 < sizeof(line));
        memset(line, 'x', line_size);
        line[line_size] = '\n';
        bench_begin(&bench);
        print_as(&bench, OUTPUT_STDOUT, line);
        assert(output_tail(bench.memory, tail) == want);
        for (size_t i = 0; i < want; i++)
                assert(tail[i] == 'x');
        bench_end(&bench);
}

static void test_the_tail_of_a_long_line_is_its_end(void)
{
        check_tail_of(OUTPUT_TAIL_MAX - 2, OUTPUT_TAIL_MAX - 2);
        check_tail_of(OUTPUT_TAIL_MAX - 1, OUTPUT_TAIL_MAX - 1);
        check_tail_of(OUTPUT_TAIL_MAX, OUTPUT_TAIL_MAX - 1);
        check_tail_of(3 * OUTPUT_TAIL_MAX, OUTPUT_TAIL_MAX - 1);
}

/* -- after a death -- */

static void test_what_was_held_is_told_by_the_heir(void)
{
        struct bench bench;

        bench_begin(&bench);
        print(&bench, "told\nheld");
        read_all(&bench, OUTPUT_STDERR);
        print(&bench, " and in the pipe\n");
        adopt(&bench);
        print_as(&bench, OUTPUT_STDERR, "later\n");
        expect(&bench, "told", "5");
        expect(&bench, "held and in the pipe", "5");
        expect(&bench, "later", "5");
        expect_nothing(&bench);
        bench_end(&bench);
}

/* The memory begins with the lines of the first stream. */
static void put_into_room(struct bench *bench, const char *text)
{
        struct lines *lines = bench->memory;
        size_t size;
        char *room = lines_room(lines, &size);

        assert(strlen(text) < size);
        memcpy(room, text, strlen(text));
}

static void test_bytes_that_were_read_and_not_noted_are_not_lost(void)
{
        struct bench bench;

        bench_begin(&bench);
        print(&bench, "first\nsec");
        read_all(&bench, OUTPUT_STDOUT); /* its last read found nothing and noted nothing */
        put_into_room(&bench, "ond\nthird");
        adopt(&bench);
        print_as(&bench, OUTPUT_STDOUT, " line\n");
        expect(&bench, "first", "6");
        expect(&bench, "second", "6");
        expect(&bench, "third line", "6");
        expect_nothing(&bench);
        bench_end(&bench);
}

static void test_what_was_noted_and_told_is_not_told_again(void)
{
        struct bench bench;

        bench_begin(&bench);
        print(&bench, "once\n");
        assert(output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]) == 5);
        assert(output_commit(&bench.output, OUTPUT_STDOUT, true, true) == 0);
        adopt(&bench);
        assert(!output_waiting(&bench.output, OUTPUT_STDOUT));
        print_as(&bench, OUTPUT_STDOUT, "more\n");
        expect(&bench, "once", "6");
        expect(&bench, "more", "6");
        expect_nothing(&bench);
        bench_end(&bench);
}

/* Whatever a crashed process left: all of it can be read, committed and told. */
static void test_memory_that_was_scribbled_over_does_no_harm(void)
{
        char tail[OUTPUT_TAIL_MAX];
        struct bench bench;

        bench_begin(&bench);
        srandom(1);
        for (unsigned round = 0; round < 60; round++) {
                size_t size = output_memory_size(), from = (size_t)random() % size;
                struct entry entry;

                for (size_t i = round % 2 ? from : 0; i < size; i++)
                        ((char *)bench.memory)[i] = (char)(random() >> 7);
                output_adopt(&bench.output);
                assert(output_tail(bench.memory, tail) <= sizeof(tail));
                print(&bench, "x");
                (void)output_read(&bench.output, OUTPUT_STDOUT, bench.pipe[0]);
                for (unsigned i = 0; i < OUTPUT_STREAMS; i++) {
                        while (output_commit(&bench.output, i, true, false) == -EAGAIN) {
                                (void)log_ship(bench.log);
                                while (journald_receive(&bench.journald, &entry, MSG_DONTWAIT))
                                        entry_free(&entry);
                        }
                        assert(!output_waiting(&bench.output, i));
                }
                while (read(bench.pipe[0], tail, sizeof(tail)) > 0)
                        ;
        }
        bench_end(&bench);
}

/* -- killed at any instant -- */

static void capture_until_killed(struct bench *bench)
{
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                ssize_t n = output_read(&bench->output, OUTPUT_STDOUT, bench->pipe[0]);

                (void)output_commit(&bench->output, OUTPUT_STDOUT, n == -EAGAIN, true);
        }
}

/* What has room in the log. Return: how many lines. */
static unsigned print_until(const struct bench *bench, uint64_t end)
{
        unsigned number = 0;
        char line[32];

        while (now_usec() < end && number < 200) {
                int size = snprintf(line, sizeof(line), "%u\n", number);

                if (write(bench->pipe[1], line, (size_t)size) == size)
                        number++;
        }
        return number;
}

static void kill_one(uint64_t usec)
{
        unsigned printed;
        struct bench bench;
        pid_t child;
        int status;

        bench_begin(&bench);
        child = fork();
        assert(child >= 0);
        if (child == 0)
                capture_until_killed(&bench);
        printed = print_until(&bench, now_usec() + usec);
        assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
        adopt(&bench);
        read_all(&bench, OUTPUT_STDOUT);
        assert(output_commit(&bench.output, OUTPUT_STDOUT, true, true) == 0);
        assert(ship_all(&bench, 0) == printed && log_counters(bench.log).lost == 0);
        bench_end(&bench);
}

static void test_a_kill_at_any_instant_loses_and_doubles_nothing(void)
{
        unsigned seed = (unsigned)now_usec();
        uint64_t end = now_usec() + USEC_PER_SEC;

        (void)printf("seed %u\n", seed);
        srandom(seed);
        while (now_usec() < end)
                kill_one((uint64_t)random() % 1000);
}

/* -- killed at any instruction -- */

/* A sanitizer would take minutes. */
#define STEPS_USEC (5 * USEC_PER_SEC)

static const char *const printed_lines[] = {"first\n  goes on", "second", "third"};

/* What a child does between two stops: it captures what is printed, but sends nothing. */
static _Noreturn void capture_in_steps(struct bench *bench)
{
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                _exit(0);
        (void)raise(SIGSTOP);
        while (output_read(&bench->output, OUTPUT_STDOUT, bench->pipe[0]) > 0)
                (void)output_commit(&bench->output, OUTPUT_STDOUT, false, true);
        (void)output_commit(&bench->output, OUTPUT_STDOUT, true, true);
        (void)raise(SIGSTOP);
        _exit(1);
}

static bool stopped_by(pid_t pid, int sig)
{
        int status;

        assert(waitpid(pid, &status, 0) == pid);
        return WIFSTOPPED(status) && WSTOPSIG(status) == sig;
}

/* A copy of all that outlives the child, what waits in the pipe included. */
static struct bench heir_of(const struct bench *bench)
{
        struct bench heir = *bench;

        heir.log_memory = shared(log_memory_size(BUFFER_SIZE));
        heir.memory = shared(output_memory_size());
        memcpy(heir.log_memory, bench->log_memory, log_memory_size(BUFFER_SIZE));
        memcpy(heir.memory, bench->memory, output_memory_size());
        assert(pipe2(heir.pipe, O_CLOEXEC | O_NONBLOCK) == 0);
        assert(tee(bench->pipe[0], heir.pipe[1], 1 << 16, SPLICE_F_NONBLOCK) >= 0 ||
               errno == EAGAIN);
        return heir;
}

/* As if the child were dead now. */
static void inherit(const struct bench *bench)
{
        struct bench heir = heir_of(bench);
        const struct log_options options = options_of(&heir);

        assert(log_adopt(&heir.log, &options) == 0);
        heir.output = (struct output){.memory = heir.memory, .log = heir.log, .subject = worker};
        output_adopt(&heir.output);
        read_all(&heir, OUTPUT_STDOUT);
        assert(output_commit(&heir.output, OUTPUT_STDOUT, true, true) == 0);
        assert(log_ship(heir.log) == 0);
        for (size_t i = 0; i < sizeof(printed_lines) / sizeof(*printed_lines); i++)
                expect(&heir, printed_lines[i], "6");
        expect_nothing(&heir);
        log_abandon(heir.log);
        assert(close(heir.pipe[0]) == 0 && close(heir.pipe[1]) == 0);
        assert(munmap(heir.memory, output_memory_size()) == 0);
        assert(munmap(heir.log_memory, log_memory_size(BUFFER_SIZE)) == 0);
}

/* Where a store made a difference. Return: how often. */
static unsigned inherit_after_each_step(const struct bench *bench, pid_t child)
{
        uint64_t until = now_usec() + STEPS_USEC;
        struct bench last = heir_of(bench);
        unsigned inherited = 0;

        do {
                if (memcmp(last.memory, bench->memory, output_memory_size()) != 0 ||
                    memcmp(last.log_memory, bench->log_memory, LOG_BUFFER_MIN) != 0) {
                        inherit(bench);
                        inherited++;
                        memcpy(last.memory, bench->memory, output_memory_size());
                        memcpy(last.log_memory, bench->log_memory, LOG_BUFFER_MIN);
                }
                assert(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        } while (stopped_by(child, SIGTRAP) && now_usec() < until);
        assert(inherited > 50 || now_usec() >= until);
        assert(close(last.pipe[0]) == 0 && close(last.pipe[1]) == 0);
        assert(munmap(last.memory, output_memory_size()) == 0);
        assert(munmap(last.log_memory, log_memory_size(BUFFER_SIZE)) == 0);
        return inherited;
}

static void test_a_kill_at_any_instruction_loses_and_doubles_nothing(void)
{
        struct bench bench;
        pid_t child;
        int status;

        bench_begin(&bench);
        for (size_t i = 0; i < sizeof(printed_lines) / sizeof(*printed_lines); i++) {
                print(&bench, printed_lines[i]);
                print(&bench, "\n");
        }
        child = fork();
        assert(child >= 0);
        if (child == 0)
                capture_in_steps(&bench);
        if (stopped_by(child, SIGSTOP)) {
                (void)printf("%u states\n", inherit_after_each_step(&bench, child));
                assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
        } else {
                not_tried = "not allowed to trace a process";
        }
        bench_end(&bench);
}

int main(void)
{
        test_a_line_is_a_record_that_says_where_it_is_from();
        test_of_several_applications_nobody_knows_which();
        test_a_name_that_is_too_long_is_cut();
        test_a_prefix_is_the_priority();
        test_a_traceback_is_one_record();
        test_both_streams_are_told_apart_in_the_middle_of_a_line();
        test_what_may_go_on_waits_for_a_flush();
        test_a_line_without_an_end_comes_in_pieces();
        test_read_says_what_is_wrong();
        test_without_commits_there_is_no_room_any_more();
        test_what_has_no_room_now_is_held();
        test_no_room_changes_nothing();
        test_who_waits_in_vain_loses_with_a_count();
        test_the_tail_is_of_both_streams_and_has_whole_lines();
        test_the_tail_of_a_long_line_is_its_end();
        test_what_was_held_is_told_by_the_heir();
        test_bytes_that_were_read_and_not_noted_are_not_lost();
        test_what_was_noted_and_told_is_not_told_again();
        test_memory_that_was_scribbled_over_does_no_harm();
        test_a_kill_at_any_instant_loses_and_doubles_nothing();
        test_a_kill_at_any_instruction_loses_and_doubles_nothing();
        return ending();
}
