/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"

#define APP_A "[app a]\ntype=native\n"
#define APP_B "[app b]\ntype=native\n"

/* What one load gave; the files are named from the folder that the test works in. */
struct outcome {
        struct config *config;
        struct problems problems;
};

static void write_bytes(const char *file, const void *data, size_t size)
{
        int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert(fd >= 0);
        assert(write(fd, data, size) == (ssize_t)size);
        assert(close(fd) == 0);
}

static void write_text(const char *file, const char *text)
{
        write_bytes(file, text, strlen(text));
}

static struct outcome load_source(const struct config_source *source)
{
        struct outcome outcome = {0};
        int r = config_load(&outcome.config, source, &outcome.problems);

        assert(r == (outcome.problems.n > 0 ? -EINVAL : 0));
        assert((r == 0) == (outcome.config != NULL));
        return outcome;
}

static struct outcome load_text(const char *text)
{
        write_text("a.ini", text);
        return load_source(&(struct config_source){.file = "a.ini"});
}

static struct outcome load_with_drop_ins(const char *text)
{
        write_text("a.ini", text);
        return load_source(&(struct config_source){.file = "a.ini", .drop_in = "conf.d"});
}

static void done(struct outcome *outcome)
{
        config_free(outcome->config);
        problems_free(&outcome->problems);
}

static void expect_problems(struct outcome outcome, const char *const *texts, size_t n)
{
        for (size_t i = 0; i < n && i < outcome.problems.n; i++)
                if (strcmp(outcome.problems.texts[i], texts[i]) != 0) {
                        (void)fprintf(stderr, "got:      %s\nexpected: %s\n",
                                      outcome.problems.texts[i], texts[i]);
                        abort();
                }
        assert(outcome.problems.n == n && outcome.problems.n_lost == 0);
        done(&outcome);
}

static void refuses(const char *text, const char *problem)
{
        expect_problems(load_text(text), &problem, 1);
}

static struct config *accepts(const char *text)
{
        struct outcome outcome = load_text(text);

        if (outcome.problems.n > 0)
                (void)fprintf(stderr, "%s\n", outcome.problems.texts[0]);
        assert(outcome.config);
        return outcome.config;
}

/* -- values -- */

static void test_without_a_file_all_is_default(void)
{
        struct outcome outcome = load_source(&(struct config_source){0});
        const struct config *config = outcome.config;

        assert(config->server_workers == 0 && config->server_threads == 4);
        assert(config->server_start_timeout == 60 * USEC_PER_SEC);
        assert(config->server_watchdog == 10 * USEC_PER_SEC);
        assert(config->server_graceful_timeout == 30 * USEC_PER_SEC);
        assert(config->http_worker_connections == 1000);
        assert(config->http_keepalive == 15 * USEC_PER_SEC);
        assert(config->http_header_timeout == 10 * USEC_PER_SEC);
        assert(config->http_limit_request_line == 8190);
        assert(config->http_limit_request_fields == 100);
        assert(config->http_limit_request_field_size == 8190);
        assert(config->http_limit_request_body == 10 << 20);
        assert(config->log_level == LOG_INFO && config->log_buffer == 4 << 20);
        assert(config->log_overflow.block_usec == USEC_PER_SEC && config->log_access_fields == 0);
        assert(config->n_apps == 0 && config->n_files == 0 && !config->origins[0].file);
        done(&outcome);
}

static void test_every_setting_is_read_with_its_origin(void)
{
        struct config *config = accepts("; all of them\n"
                                        "[server]\nworkers = 3\nthreads=8\nstart_timeout = 2min\n"
                                        "watchdog = 1500ms\ngraceful_timeout = 0\n"
                                        "[http]\nworker_connections = 65536\nkeepalive = 1h\n"
                                        "header_timeout = 5s\nlimit_request_line = 64\n"
                                        "limit_request_fields = 1\nlimit_request_field_size = 16k\n"
                                        "limit_request_body = 4g\n"
                                        "[log]\nlevel = debug\nbuffer = 1g\noverflow = drop\n"
                                        "access_fields = referer\n");

        assert(config->server_workers == 3 && config->server_threads == 8);
        assert(config->server_start_timeout == 120 * USEC_PER_SEC);
        assert(config->server_watchdog == 1500 * USEC_PER_MSEC);
        assert(config->server_graceful_timeout == 0);
        assert(config->http_worker_connections == 65536);
        assert(config->http_keepalive == 3600 * USEC_PER_SEC);
        assert(config->http_header_timeout == 5 * USEC_PER_SEC);
        assert(config->http_limit_request_line == 64 && config->http_limit_request_fields == 1);
        assert(config->http_limit_request_field_size == 16384);
        assert(config->http_limit_request_body == UINT64_C(4) << 30);
        assert(config->log_level == LOG_DEBUG && config->log_buffer == 1 << 30);
        assert(config->log_overflow.block_usec == 0);
        assert(config->log_access_fields == EXTRA_FIELD_REFERER);
        assert(strcmp(config->origins[0].file, "a.ini") == 0 && config->origins[0].line == 3);
        config_free(config);
}

static void test_bad_values_say_what_was_expected(void)
{
        refuses("[server]\nthreads = abc\n",
                "a.ini:2: [server] threads: 'abc' is not valid, expected a whole number");
        refuses("[server]\nthreads = -1\n",
                "a.ini:2: [server] threads: '-1' is not valid, expected a whole number");
        refuses("[server]\nworkers = all\n",
                "a.ini:2: [server] workers: 'all' is not valid, expected auto, a whole number, or "
                "MIN-MAX such as 2-8");
        refuses("[server]\nworkers = 8-2\n",
                "a.ini:2: [server] workers: '8-2' is not valid, expected auto, a whole number, or "
                "MIN-MAX such as 2-8");
        refuses("[server]\nwatchdog = 10 s\n", "a.ini:2: [server] watchdog: '10 s' is not valid, "
                                               "expected a duration such as 500ms, 10s, "
                                               "2min");
        refuses("[http]\nlimit_request_body = 10mb\n",
                "a.ini:2: [http] limit_request_body: '10mb' is not valid, expected a size such as "
                "8190, "
                "64k, 10m, 1g");
        refuses("[http]\nkeepalive = 1500ms\n", "a.ini:2: [http] keepalive: '1500ms' is not valid, "
                                                "expected a duration of whole seconds "
                                                "such as 15s, 2min");
        refuses("[log]\nlevel = warn\n",
                "a.ini:2: [log] level: 'warn' is not valid, expected one of emerg, "
                "alert, crit, err, warning, notice, info, debug");
        refuses("[log]\noverflow = block\n", "a.ini:2: [log] overflow: 'block' is not valid, "
                                             "expected drop or block:DURATION such as "
                                             "block:1s");
        refuses("[log]\naccess_fields = cookie\n", "a.ini:2: [log] access_fields: 'cookie' is not "
                                                   "valid, expected names among user_agent, "
                                                   "referer, http_host, trace_id");
}

static void test_a_duration_without_unit_is_told_so(void)
{
        refuses("[server]\nwatchdog = 10\n",
                "a.ini:2: [server] watchdog: '10' has no unit, expected a "
                "duration such as 500ms, 10s, 2min");
        refuses("[log]\noverflow = block:5\n",
                "a.ini:2: [log] overflow: 'block:5' has no unit, expected "
                "drop or block:DURATION such as block:1s");
}

static void test_values_beyond_the_limits_print_them_in_the_units_of_the_setting(void)
{
        refuses("[server]\nthreads = 257\n",
                "a.ini:2: [server] threads: '257' is out of range, expected 1 to 256");
        refuses("[server]\nthreads = 18446744073709551617\n",
                "a.ini:2: [server] threads: '18446744073709551617' is out of range, expected 1 to "
                "256");
        refuses("[server]\nthreads = 4294967297\n",
                "a.ini:2: [server] threads: '4294967297' is out of range, expected 1 to 256");
        refuses("[server]\nworkers = 0\n", "a.ini:2: [server] workers: '0' is out of range, "
                                           "expected auto, or N or MIN-MAX of 1 to "
                                           "256");
        refuses("[server]\nworkers = 2-257\n", "a.ini:2: [server] workers: '2-257' is out of "
                                               "range, expected auto, or N or MIN-MAX "
                                               "of 1 to 256");
        refuses("[server]\nwatchdog = 999ms\n",
                "a.ini:2: [server] watchdog: '999ms' is out of range, expected 1s to 1h");
        refuses("[http]\nkeepalive = 0\n",
                "a.ini:2: [http] keepalive: '0' is out of range, expected 1s to 1h");
        refuses("[http]\nlimit_request_body = 99999999999g\n",
                "a.ini:2: [http] limit_request_body: '99999999999g' is out of range, expected 0 to "
                "4g");
        refuses("[log]\nbuffer = 65535\n",
                "a.ini:2: [log] buffer: '65535' is out of range, expected 64k to 1g");
        refuses("[log]\noverflow = block:2h\n",
                "a.ini:2: [log] overflow: 'block:2h' is out of range, "
                "expected drop, or block: and a duration of 0 to 1h");
}

static void test_an_empty_value_is_refused_where_one_is_needed(void)
{
        refuses("[server]\nthreads =\n",
                "a.ini:2: [server] threads: the value is missing, expected a whole number");
        refuses("[server]\nthreads = ; four\n",
                "a.ini:2: [server] threads: the value is missing, expected a whole number");
        config_free(accepts("[log]\naccess_fields =\n"));
}

/* -- names -- */

static void test_unknown_keys_name_the_nearest_or_the_section_they_belong_to(void)
{
        refuses("[server]\nthread = 3\n",
                "a.ini:2: [server] thread: unknown key, did you mean 'threads'?");
        refuses("[server]\nThreads = 3\n",
                "a.ini:2: [server] Threads: unknown key, did you mean 'threads'?");
        refuses("[server]\ncolour = 3\n", "a.ini:2: [server] colour: unknown key");
        refuses("[server]\nkeepalive = 3s\n",
                "a.ini:2: [server] keepalive: unknown key, it belongs to [http]");
        refuses("[http]\nmount = /\n",
                "a.ini:2: [http] mount: unknown key, it belongs to [app NAME]");
}

static void test_unknown_sections_are_told_once_without_their_keys(void)
{
        refuses("[sever]\nthreads = x\nfoo = 1\n",
                "a.ini:1: [sever]: unknown section, did you mean [server]?");
        refuses("[ap shop]\n", "a.ini:1: [ap shop]: unknown section, did you mean [app NAME]?");
        refuses("[database]\n",
                "a.ini:1: [database]: unknown section, expected [server], [http], [tls], [log] or "
                "[app NAME]");
        refuses("[]\n", "a.ini:1: []: unknown section, expected [server], [http], [tls], [log] or "
                        "[app NAME]");
        refuses("[application]\n",
                "a.ini:1: [application]: unknown section, expected [server], [http], "
                "[tls], [log] or [app NAME]");
}

static void test_a_key_twice_in_a_file_names_the_first_line(void)
{
        refuses("[server]\nthreads = 3\n\n[http]\n[server]\nthreads = 3\n",
                "a.ini:6: [server] threads: given twice, first in line 2");
        refuses(APP_A "mount=/a\nmount=/a\n",
                "a.ini:4: [app a] mount: given twice, first in line 3");
        refuses(APP_A "path=x\npath=x\n", "a.ini:4: [app a] path: given twice, first in line 3");
        refuses(APP_A APP_A, "a.ini:4: [app a] type: given twice, first in line 2");
}

static void test_a_key_before_any_section_is_refused(void)
{
        refuses("threads = 3\n[server]\n",
                "a.ini:1: threads: stands before any section, expected one such as [server] first");
}

/* -- syntax -- */

static void test_lines_that_are_no_ini_are_refused(void)
{
        refuses("[server]\nthreads\n", "a.ini:2: expected a comment, a [section] or key = value");
        refuses("[server]\nthreads: 3\n",
                "a.ini:2: expected a comment, a [section] or key = value");
        refuses("[server\nthreads = x\n",
                "a.ini:1: expected a section such as [server] and nothing behind it");
        refuses("[server] threads = 3\n",
                "a.ini:1: expected a section such as [server] and nothing behind it");
        refuses("[server]\n= 3\n", "a.ini:2: '' is no key, expected 1 to 49 of a-z A-Z 0-9 _ - .");
        refuses("[server]\na b = 3\n",
                "a.ini:2: 'a b' is no key, expected 1 to 49 of a-z A-Z 0-9 _ - .");
        refuses("[server]\nx: y = 3\n",
                "a.ini:2: 'x: y' is no key, expected 1 to 49 of a-z A-Z 0-9 _ - .");
}

static void test_control_bytes_are_refused(void)
{
        static const char text[] = "[server]\nthreads = 3\0 4\nwatchdog = 3s\x1b\n";
        struct outcome outcome;

        write_bytes("a.ini", text, sizeof(text) - 1);
        outcome = load_source(&(struct config_source){.file = "a.ini"});
        expect_problems(
                outcome,
                (const char *const[]){"a.ini:2: control byte 0x00 in column 12, expected text",
                                      "a.ini:3: control byte 0x1b in column 14, expected text"},
                2);
        refuses("[server]\rthreads = 3\n", "a.ini:1: control byte 0x0d in column 9, expected text");
}

static void test_names_that_inih_would_cut_are_refused(void)
{
        refuses("[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
                "a.ini:1: section name of 60 bytes, expected at most 49");
        refuses(APP_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1\n",
                "a.ini:3: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' is no key, expected "
                "1 to "
                "49 of a-z A-Z 0-9 _ - .");
}

static void test_values_up_to_what_inih_holds_are_whole_and_longer_ones_refused(void)
{
        char text[1200], value[400];
        struct config *config;

        memset(value, 'v', sizeof(value));
        value[192] = '\0';
        (void)snprintf(text, sizeof(text), APP_A "path    =    %s    ; %0300d\n;%0300d\n", value, 0,
                       0);
        config = accepts(text);
        assert(strcmp(app_config_get(&config->apps[0], "path"), value) == 0);
        config_free(config);

        value[192] = 'v';
        value[193] = '\0';
        (void)snprintf(text, sizeof(text), APP_A "path=%s\n", value);
        refuses(text, "a.ini:3: path: value of 193 bytes, expected at most 192");
}

static void test_all_usual_spellings_are_accepted(void)
{
        struct config *config = accepts("\xef\xbb\xbf  [ server ]  ; comment\r\n"
                                        "\t threads\t=\t5 ; comment\r\n"
                                        "   # comment\r\n"
                                        "\r\n"
                                        "   watchdog=3s\r\n"
                                        "\t[app  shop-2]\r\n"
                                        "type=native\r\n"
                                        "path=a;b#c = d\t;x\r\n"
                                        "empty=;x\r\n"
                                        "env.HOME-1 = \xc3\xa4"); /* and no end of line */

        assert(config->server_threads == 5 && config->server_watchdog == 3 * USEC_PER_SEC);
        assert(config->n_apps == 1 && strcmp(config->apps[0].name, "shop-2") == 0);
        assert(strcmp(app_config_get(&config->apps[0], "path"), "a;b#c = d") == 0);
        assert(strcmp(app_config_get(&config->apps[0], "empty"), "") == 0);
        assert(strcmp(app_config_get(&config->apps[0], "env.HOME-1"), "\xc3\xa4") == 0);
        assert(!app_config_get(&config->apps[0], "other"));
        assert(!app_config_get(&config->apps[0], "type"));
        assert(config->apps[0].keys[0].origin.line == 8);
        config_free(config);
        config_free(accepts(""));
        config_free(accepts("\xef\xbb\xbf"));
}

static void test_an_indented_line_is_no_continuation(void)
{
        refuses("[server]\nthreads = 3\n  4\n",
                "a.ini:3: expected a comment, a [section] or key = value");
        refuses("[server]\nthreads = 3\n  threads = 4\n",
                "a.ini:3: [server] threads: given twice, first in line 2");
}

/* -- files -- */

static void test_files_that_cannot_be_read_say_why(void)
{
        static char large[1024 * 1024 + 1];
        static const struct {
                const char *file;
                const char *problem;
        } cases[] = {
                {"missing.ini", "missing.ini: cannot be read: No such file or directory"},
                {"folder", "folder: cannot be read: Is a directory"},
                {"pipe", "pipe: cannot be read: not a regular file"},
                {"a.ini/b.ini", "a.ini/b.ini: cannot be read: Not a directory"},
                {"large.ini", "large.ini: larger than 1 MiB"},
                {"/dev/zero", "/dev/zero: larger than 1 MiB"},
        };

        assert(mkdir("folder", 0700) == 0 && mkfifo("pipe", 0600) == 0);
        memset(large, '\n', sizeof(large));
        write_bytes("large.ini", large, sizeof(large));
        write_text("a.ini", "");
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                expect_problems(load_source(&(struct config_source){.file = cases[i].file}),
                                &cases[i].problem, 1);
        write_bytes("large.ini", large, sizeof(large) - 1);
        expect_problems(load_source(&(struct config_source){.file = "large.ini"}), NULL, 0);
}

static void test_a_missing_optional_file_is_no_problem_but_an_unreadable_one_is(void)
{
        struct config_source source = {.file = "missing.ini", .file_optional = true};

        expect_problems(load_source(&source), NULL, 0);
        source.file = "folder";
        expect_problems(load_source(&source),
                        (const char *const[]){"folder: cannot be read: Is a directory"}, 1);
        expect_problems(load_source(&(struct config_source){.drop_in = "missing"}), NULL, 0);
        expect_problems(load_source(&(struct config_source){.drop_in = "a.ini"}),
                        (const char *const[]){"a.ini: cannot be read: Not a directory"}, 1);
}

static void test_drop_ins_override_in_the_order_of_their_names(void)
{
        struct outcome outcome;

        write_text("conf.d/20-b.ini", "[server]\nthreads = 7\n[app a]\npath = /b.so\n");
        write_text("conf.d/10-a.ini",
                   "[server]\nthreads = 6\nwatchdog = 6s\n[app a]\nmount = /a\n");
        write_text("conf.d/B.ini", "[log]\nlevel = err\n");
        write_text("conf.d/.30-hidden.ini", "nonsense\n");
        write_text("conf.d/30-other.ini~", "nonsense\n");
        write_text("conf.d/.ini", "nonsense\n");
        outcome = load_with_drop_ins("[server]\nthreads = 5\n" APP_A "path = a.so\nother = 1\n");

        assert(outcome.config && outcome.config->server_threads == 7);
        assert(outcome.config->server_watchdog == 6 * USEC_PER_SEC);
        assert(outcome.config->log_level == LOG_ERR);
        assert(outcome.config->n_files == 4 && outcome.config->n_apps == 1);
        assert(strcmp(outcome.config->files[1], "conf.d/10-a.ini") == 0);
        assert(strcmp(outcome.config->files[2], "conf.d/20-b.ini") == 0);
        assert(strcmp(outcome.config->files[3], "conf.d/B.ini") == 0);
        done(&outcome);
}

static void test_one_application_in_several_files_is_merged_key_by_key(void)
{
        struct outcome outcome;
        const struct app_config *app;

        outcome = load_with_drop_ins(APP_A "path = a.so\nother = 1\n");
        app = &outcome.config->apps[0];
        assert(strcmp(app->type, "native") == 0 && strcmp(app->mount, "/a") == 0);
        assert(strcmp(app->directory, ".") == 0 && strcmp(app->origin.file, "a.ini") == 0);
        assert(app->n_keys == 2 && strcmp(app_config_get(app, "path"), "/b.so") == 0);
        assert(strcmp(app->keys[0].origin.file, "conf.d/20-b.ini") == 0 &&
               app->keys[0].origin.line == 4);
        assert(strcmp(app->origins.mount.file, "conf.d/10-a.ini") == 0);
        assert(strcmp(app->origins.type.file, "a.ini") == 0 && !app->origins.fallback.file);
        done(&outcome);
}

static void test_problems_of_all_files_are_told_at_once(void)
{
        write_text("conf.d/40-bad.ini", "threads = 1\n[app x]\n");
        expect_problems(load_with_drop_ins("[servr]\n"),
                        (const char *const[]){
                                "a.ini:1: [servr]: unknown section, did you mean [server]?",
                                "conf.d/40-bad.ini:1: threads: stands before any section, expected "
                                "one such as "
                                "[server] first",
                                "conf.d/10-a.ini:4: [app a] type: missing, expected the kind of "
                                "application such "
                                "as native",
                                "conf.d/40-bad.ini:2: [app x] type: missing, expected the kind of "
                                "application "
                                "such as native",
                        },
                        4);
        assert(unlink("conf.d/40-bad.ini") == 0);
}

static void test_more_than_a_hundred_problems_are_counted(void)
{
        char text[200 * 2 + 1];
        struct outcome outcome;

        for (int i = 0; i < 200; i++)
                memcpy(text + 2L * i, "x\n", 3);
        outcome = load_text(text);
        assert(outcome.problems.n == 100 && outcome.problems.n_lost == 100);
        assert(strcmp(outcome.problems.texts[99],
                      "a.ini:100: expected a comment, a [section] or key = value") == 0);
        done(&outcome);
}

static void test_load_into_a_full_list_of_problems_still_fails(void)
{
        struct problems problems = {0};
        struct config *config = NULL;

        for (int i = 0; i < 100; i++)
                (void)problems_add(&problems, NULL, "earlier");
        write_text("a.ini", "");
        assert(config_load(&config, &(struct config_source){.file = "a.ini"}, &problems) == 0);
        config_free(config);
        config = NULL;
        write_text("a.ini", "x\n");
        assert(config_load(&config, &(struct config_source){.file = "a.ini"}, &problems) ==
               -EINVAL);
        assert(!config && problems.n == 100 && problems.n_lost == 1);
        problems_free(&problems);
}

/* -- applications -- */

static void test_application_names_are_checked(void)
{
        refuses("[app]\ntype=native\n", "a.ini:1: [app]: the name is missing, expected [app NAME]");
        refuses("[app Shop]\ntype=native\n",
                "a.ini:1: [app Shop]: the name is not valid, expected 1 to 32 of a-z 0-9 -");
        refuses("[app a b]\n",
                "a.ini:1: [app a b]: the name is not valid, expected 1 to 32 of a-z 0-9 -");
        refuses("[app aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
                "a.ini:1: [app aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]: the name is not valid, expected "
                "1 to 32 "
                "of a-z 0-9 -");
        config_free(accepts("[app aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\ntype=native\n"));
}

static void test_an_application_needs_a_type(void)
{
        refuses("[app a]\n",
                "a.ini:1: [app a] type: missing, expected the kind of application such as native");
        refuses("[app a]\ntype =\n",
                "a.ini:2: [app a] type: the value is missing, expected the kind of "
                "application such as native");
}

static void test_mounts_are_checked(void)
{
        static const struct {
                const char *mount;
                const char *expected;
        } cases[] = {
                {"", "a path that begins with /"},
                {"shop", "a path that begins with /"},
                {"/shop/", "no empty segment and no slash at the end"},
                {"//", "no empty segment and no slash at the end"},
                {"/a//b", "no empty segment and no slash at the end"},
                {"/a/./b", "no segment . or .."},
                {"/..", "no segment . or .."},
                {"/a%20b", "none of % ? # in it"},
                {"/a?b", "none of % ? # in it"},
                {"/a#b", "none of % ? # in it"},
        };
        char text[100], problem[200];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                (void)snprintf(text, sizeof(text), APP_A "mount = %s\n", cases[i].mount);
                (void)snprintf(problem, sizeof(problem),
                               "a.ini:3: [app a] mount: '%s' is not valid, expected %s",
                               cases[i].mount, cases[i].expected);
                refuses(text, problem);
        }
        config_free(accepts(APP_A "mount = /...\n" APP_B "mount = /a/.b/..c\n"));
}

static void test_two_applications_at_one_mount_are_refused_with_both_places(void)
{
        refuses(APP_A APP_B, "a.ini:3: [app b] mount: '/' is taken by [app a] at a.ini:1");
        refuses(APP_A "mount=/x\n" APP_B "mount=/x\n",
                "a.ini:6: [app b] mount: '/x' is taken by [app a] at a.ini:3");
        refuses(APP_A "fallback=yes\n" APP_B "fallback=yes\n",
                "a.ini:4: [app b] mount: '/' is taken by another fallback, [app a] at a.ini:1");
}

static void test_a_fallback_gives_way_in_either_order(void)
{
        struct config *config = accepts(APP_A "fallback=yes\n" APP_B);

        assert(config->n_apps == 1 && strcmp(config->apps[0].name, "b") == 0);
        config_free(config);
        config = accepts(APP_B APP_A "fallback = On\n[app c]\ntype=x\nmount=/c\n");
        assert(config->n_apps == 2 && strcmp(config->apps[1].name, "c") == 0);
        config_free(config);
        config = accepts(APP_A "fallback=yes\n" APP_B "mount=/b\n");
        assert(config->n_apps == 2 && config->apps[0].fallback && !config->apps[1].fallback);
        config_free(config);
        refuses(APP_A "fallback=maybe\n",
                "a.ini:3: [app a] fallback: 'maybe' is not valid, expected yes or no");
}

static void test_request_timeout_of_an_application_is_a_duration_or_not_given(void)
{
        struct config *config = accepts(APP_A "request_timeout = 90s\n" APP_B "mount=/b\n");

        assert(config->apps[0].request_timeout == 90 * USEC_PER_SEC);
        assert(config->apps[1].request_timeout == USEC_NEVER);
        config_free(config);
        config = accepts(APP_A "request_timeout = 0\n" APP_B "mount=/b\nrequest_timeout =\n");
        assert(config->apps[0].request_timeout == 0);
        assert(config->apps[1].request_timeout == USEC_NEVER);
        config_free(config);
        refuses(APP_A "request_timeout = soon\n",
                "a.ini:3: [app a] request_timeout: 'soon' is not valid, expected a duration such "
                "as 500ms, 10s, 2min, at most 24h");
        refuses(APP_A "request_timeout = 25h\n",
                "a.ini:3: [app a] request_timeout: '25h' is not valid, expected a duration such "
                "as 500ms, 10s, 2min, at most 24h");
}

static void test_the_folder_of_an_application_is_that_of_its_file(void)
{
        struct outcome outcome;

        write_text("folder/x.ini", APP_A);
        outcome = load_source(&(struct config_source){.file = "folder/x.ini"});
        assert(strcmp(outcome.config->apps[0].directory, "folder") == 0);
        done(&outcome);
}

static void test_add_app_is_as_if_it_was_written(void)
{
        struct outcome outcome = load_source(&(struct config_source){0});
        const struct app_config *app;

        assert(config_add_app(outcome.config, "hello", "native", "/", "path", "./hello.so") == 0);
        app = &outcome.config->apps[0];
        assert(outcome.config->n_apps == 1 && strcmp(app->name, "hello") == 0);
        assert(strcmp(app->type, "native") == 0 && strcmp(app->mount, "/") == 0);
        assert(strcmp(app->directory, ".") == 0 && !app->fallback && !app->origin.file);
        assert(strcmp(app_config_get(app, "path"), "./hello.so") == 0);
        done(&outcome);
        config_free(NULL);
}

int main(void)
{
        char folder[] = "/tmp/test_config_load.XXXXXX";

        assert(mkdtemp(folder) && chdir(folder) == 0 && mkdir("conf.d", 0700) == 0);
        test_without_a_file_all_is_default();
        test_every_setting_is_read_with_its_origin();
        test_bad_values_say_what_was_expected();
        test_a_duration_without_unit_is_told_so();
        test_values_beyond_the_limits_print_them_in_the_units_of_the_setting();
        test_an_empty_value_is_refused_where_one_is_needed();
        test_unknown_keys_name_the_nearest_or_the_section_they_belong_to();
        test_unknown_sections_are_told_once_without_their_keys();
        test_a_key_twice_in_a_file_names_the_first_line();
        test_a_key_before_any_section_is_refused();
        test_lines_that_are_no_ini_are_refused();
        test_control_bytes_are_refused();
        test_names_that_inih_would_cut_are_refused();
        test_values_up_to_what_inih_holds_are_whole_and_longer_ones_refused();
        test_all_usual_spellings_are_accepted();
        test_an_indented_line_is_no_continuation();
        test_files_that_cannot_be_read_say_why();
        test_a_missing_optional_file_is_no_problem_but_an_unreadable_one_is();
        test_drop_ins_override_in_the_order_of_their_names();
        test_one_application_in_several_files_is_merged_key_by_key();
        test_problems_of_all_files_are_told_at_once();
        test_more_than_a_hundred_problems_are_counted();
        test_load_into_a_full_list_of_problems_still_fails();
        test_application_names_are_checked();
        test_an_application_needs_a_type();
        test_mounts_are_checked();
        test_two_applications_at_one_mount_are_refused_with_both_places();
        test_a_fallback_gives_way_in_either_order();
        test_request_timeout_of_an_application_is_a_duration_or_not_given();
        test_the_folder_of_an_application_is_that_of_its_file();
        test_add_app_is_as_if_it_was_written();
        assert(system("rm -rf -- \"$PWD\"") == 0);
        return 0;
}
