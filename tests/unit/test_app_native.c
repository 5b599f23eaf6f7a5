/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native applications loaded for real: those of tests/apps/, built beside this program. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/kind.h"

static char root[] = "/", name[] = "probe", native[] = "native", path[] = "path", folder[PATH_MAX];

static bool told(const struct problems *problems, const char *text)
{
        for (size_t i = 0; i < problems->n; i++) {
                if (strstr(problems->texts[i], text))
                        return true;
        }
        return false;
}

/*
 * A section that loads a file from the folder of the test applications, with one more key when @key
 * is given.
 */
struct section {
        char file[NAME_MAX + 2];
        struct app_key keys[2];
        struct app_config config;
        struct app_host host;
        struct problems problems;
};

static void section_begin(struct section *section, const char *file, char *key, char *value)
{
        *section = (struct section){0};
        (void)snprintf(section->file, sizeof(section->file), "./%s", file);
        section->keys[0] = (struct app_key){path, section->file, {"a.ini", 3}};
        section->keys[1] = (struct app_key){key, value, {"a.ini", 4}};
        section->config = (struct app_config){.name = name,
                                              .type = native,
                                              .mount = root,
                                              .directory = folder,
                                              .keys = section->keys,
                                              .n_keys = key ? 2 : 1};
}

static void expect_refusal(const char *file, const char *problem)
{
        struct app *app = (void *)&app;
        struct section section;

        section_begin(&section, file, NULL, NULL);
        assert(app_load(&app, &section.config, &section.host, &section.problems) == -EINVAL);
        assert(app == (void *)&app);
        assert(told(&section.problems, problem));
        assert(told(&section.problems, "a.ini:3: [app probe] path: "));
        problems_free(&section.problems);
}

static void test_what_cannot_be_served_is_refused_with_its_reason(void)
{
        expect_refusal("refused_abi.so", "another ABI");
        expect_refusal("refused_tail.so", "members that this one does not know");
        expect_refusal("refused_handle.so", "no handle()");
        expect_refusal("refused_host.so", "refused this one");
        expect_refusal("refused_symbol.so", "appsrv_function_of_the_future");
        expect_refusal("refused_entry.so", "no symbol appsrv_app_main");
        expect_refusal("missing.so", "missing.so");
}

static void test_application_is_started_and_answers(void)
{
        static char greeting[] = "greeting", hi[] = "hi\n";
        struct request request = {.method = "GET", .path = root, .path_size = 1};
        struct response response = {0};
        struct arena arena = {0};
        struct exchange exchange = {.request = &request, .response = &response, .arena = &arena};
        struct log_options options = {
                .target = LOG_TARGET_JOURNAL, .level = 0, .buffer_size = 64 * 1024};
        struct section section;

        section_begin(&section, "probe.so", greeting, hi);
        assert(log_open(&section.host.log, &options) == 0);
        assert(app_load(&exchange.app, &section.config, &section.host, &section.problems) == 0);
        assert(app_concurrent(exchange.app));
        assert(app_start(exchange.app) == 0);
        app_handle(&exchange);
        assert(response.status == 200 && strcmp(response.body, "hi\n") == 0);
        app_stop(exchange.app);
        app_free(exchange.app);
        log_abandon(section.host.log);
        arena_free(&arena);
}

static void expect_can_stall(const char *file, bool can)
{
        struct section section;
        struct app *app = NULL;

        section_begin(&section, file, NULL, NULL);
        assert(app_load(&app, &section.config, &section.host, &section.problems) == 0);
        assert(app_can_stall(app) == can && (!can || !app_stalls(app)));
        app_free(app);
}

static void test_application_that_can_tell_that_it_hangs_is_asked(void)
{
        expect_can_stall("halts.so", true);
        expect_can_stall("probe.so", false);
}

static void test_start_that_fails_gives_what_the_application_gave(void)
{
        static char start_fail[] = "start_fail", yes[] = "yes";
        struct section section;
        struct app *app = NULL;

        section_begin(&section, "probe.so", start_fail, yes);
        assert(app_load(&app, &section.config, &section.host, &section.problems) == 0);
        assert(app_start(app) == -ENODEV);
        app_free(app);
}

static void expect_unknown_key(const char *file, char *key, const char *problem)
{
        static char value[] = "x";
        struct section section;
        struct app *app = NULL;

        section_begin(&section, file, key, value);
        assert(app_load(&app, &section.config, &section.host, &section.problems) == -EINVAL);
        assert(told(&section.problems, "a.ini:4: [app probe] "));
        assert(told(&section.problems, problem));
        problems_free(&section.problems);
}

static void test_key_that_the_application_does_not_know_is_found(void)
{
        static char greetign[] = "greetign", mout[] = "mout", anything[] = "anything";

        expect_unknown_key("probe.so", greetign, "did you mean 'greeting'?");
        expect_unknown_key("probe.so", mout, "did you mean 'mount'?");
        expect_unknown_key("serial.so", anything, "anything: the application knows no such key");
}

static void test_application_without_the_flag_is_not_concurrent(void)
{
        struct section section;
        struct app *app = NULL;

        section_begin(&section, "serial.so", NULL, NULL);
        assert(app_load(&app, &section.config, &section.host, &section.problems) == 0);
        assert(!app_concurrent(app));
        app_free(app);
}

/* tests/unit/<this> -> tests/apps */
static void find_folder(void)
{
        ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - sizeof("/../apps"));
        char *slash;

        assert(n > 0);
        folder[n] = '\0';
        slash = strrchr(folder, '/');
        assert(slash);
        memcpy(slash, "/../apps", sizeof("/../apps"));
}

int main(void)
{
        find_folder();
        test_what_cannot_be_served_is_refused_with_its_reason();
        test_application_is_started_and_answers();
        test_application_that_can_tell_that_it_hangs_is_asked();
        test_start_that_fails_gives_what_the_application_gave();
        test_key_that_the_application_does_not_know_is_found();
        test_application_without_the_flag_is_not_concurrent();
        return 0;
}
