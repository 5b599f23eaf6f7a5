/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/settings.h"

static const char sample[] =
        "[server]\nworkers = 3\nwatchdog = 1500ms\n"
        "[log]\noverflow = block:250ms\naccess_fields = trace_id user_agent\n"
        "[app shop]\ntype = native\nmount = /shop\npath = shop.so\nempty =\n"
        "[app welcome]\ntype = native\nfallback = yes\nrequest_timeout = 90s\n";

static struct config *load(const char *text)
{
        _cleanup_close_ int fd = memfd_create("config", MFD_CLOEXEC);
        struct problems problems = {0};
        struct config *config = NULL;
        char path[64];

        assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert(config_load(&config, &(struct config_source){.file = path}, &problems) == 0);
        return config;
}

static char *print(const struct config *config)
{
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert(stream);
        config_print(config, stream);
        assert(fclose(stream) == 0);
        return text;
}

static void same_app(const struct app_config *one, const struct app_config *other)
{
        assert(strcmp(one->name, other->name) == 0 && strcmp(one->type, other->type) == 0);
        assert(strcmp(one->mount, other->mount) == 0 && one->fallback == other->fallback);
        assert(one->request_timeout == other->request_timeout);
        assert(one->n_keys == other->n_keys);
        for (size_t i = 0; i < one->n_keys; i++) {
                assert(strcmp(one->keys[i].name, other->keys[i].name) == 0);
                assert(strcmp(one->keys[i].value, other->keys[i].value) == 0);
        }
}

static void test_output_loads_again_to_the_same_configuration(const char *text)
{
        struct config *config = load(text), *again;
        _cleanup_free_ char *printed = print(config);

        again = load(printed);
        for (size_t i = 0; i < N_SETTINGS; i++) {
                char before[VALUE_TEXT_MAX], after[VALUE_TEXT_MAX];

                assert(strcmp(setting_format(&settings[i], config, before),
                              setting_format(&settings[i], again, after)) == 0);
        }
        assert(config->n_apps == again->n_apps);
        for (size_t i = 0; i < config->n_apps; i++)
                same_app(&config->apps[i], &again->apps[i]);
        config_free(again);
        config_free(config);
}

static void test_values_stand_in_columns_with_their_origin(void)
{
        struct config *config = load(sample);
        _cleanup_free_ char *printed = print(config);
        char line[200];

        assert(strstr(printed, "\nthreads             = 4       ; default\n"));
        (void)snprintf(line, sizeof(line), "\nwatchdog            = 1500ms  ; %s:3\n",
                       config->files[0]);
        assert(strstr(printed, line));
        (void)snprintf(line, sizeof(line), "\npath            = shop.so  ; %s:10\n",
                       config->files[0]);
        assert(strstr(printed, line));
        assert(strstr(printed,
                      "\n; Allowed: auto, or N or MIN-MAX of 1 to 256\nworkers             = 3"));
        assert(strstr(printed,
                      "\n; Allowed: emerg, alert, crit, err, warning, notice, info or debug\n"));
        assert(strstr(printed, "\nmount           = /       ; default\n"));
        config_free(config);
}

static void test_lines_of_comments_fit_a_terminal(void)
{
        struct config *config = load(sample);
        _cleanup_free_ char *printed = print(config);

        for (const char *line = printed; *line; line += strcspn(line, "\n") + 1)
                if (*line == ';')
                        assert(strcspn(line, "\n") <= 80);
        config_free(config);
}

static void test_an_application_of_the_command_line_says_so(void)
{
        struct config *config = load("");
        _cleanup_free_ char *printed = NULL;

        assert(config_add_app(config, "hello", "native", "/", "path", "./hello.so") == 0);
        printed = print(config);
        assert(strstr(printed, "\n[app hello]\n"));
        assert(strstr(printed, "\npath            = ./hello.so  ; command line\n"));
        config_free(config);
}

static void test_a_file_name_cannot_end_its_comment(void)
{
        struct config *config = load("[server]\nthreads = 2\n");
        _cleanup_free_ char *printed = NULL;

        config->origins[SETTING_server_threads].file = "x\n[forged]";
        printed = print(config);
        assert(strstr(printed, "; x?[forged]:2\n"));
        config_free(config);
}

int main(void)
{
        test_output_loads_again_to_the_same_configuration("");
        test_output_loads_again_to_the_same_configuration(sample);
        test_output_loads_again_to_the_same_configuration(
                "[log]\noverflow = drop\n[app x]\ntype=a;b\nq==\n");
        test_values_stand_in_columns_with_their_origin();
        test_lines_of_comments_fit_a_terminal();
        test_an_application_of_the_command_line_says_so();
        test_a_file_name_cannot_end_its_comment();
        return 0;
}
