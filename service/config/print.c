/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration in effect, as a file that could have given it. One thread. */
#include "config/config.h"

#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "config/comment.h"
#include "config/settings.h"

/* Fits a terminal of the usual width. */
#define COLUMNS 80

/* A longer value stands as it is and moves its own comment only. */
#define VALUE_COLUMNS_MAX 32

static const char app_doc[] =
#define APP_SECTION(doc) doc
#include "config/config.def"
        ;

/* One line of a section. */
struct line {
        const char *key;
        const char *value;
        const struct origin *origin;
        const char *unwritten; /* what stands for the origin when it is in no file */
};

struct columns {
        size_t key;
        size_t value;
};

static void widen(struct columns *columns, const char *key, const char *value)
{
        size_t value_length = strlen(value);

        if (strlen(key) > columns->key)
                columns->key = strlen(key);
        if (value_length > columns->value && value_length <= VALUE_COLUMNS_MAX)
                columns->value = value_length;
}

/* A file may be named by any bytes, and a comment ends with its line. */
static void print_origin(const struct origin *origin, const char *unwritten, FILE *stream)
{
        if (!origin->file) {
                (void)fprintf(stream, "%s\n", unwritten);
                return;
        }
        for (const char *at = origin->file; *at; at++)
                (void)fputc((unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at, stream);
        (void)fprintf(stream, ":%u\n", origin->line);
}

static void print_line(const struct line *line, const struct columns *columns, FILE *stream)
{
        (void)fprintf(stream, "%-*s = %-*s  ; ", (int)columns->key, line->key, (int)columns->value,
                      line->value);
        print_origin(line->origin, line->unwritten, stream);
}

static void print_setting(const struct config *config, size_t i, const struct columns *columns,
                          FILE *stream)
{
        const struct setting *setting = &settings[i];
        char value[VALUE_TEXT_MAX];

        (void)fputc('\n', stream);
        write_comment(stream, setting->doc, COLUMNS);
        (void)fprintf(stream, "; Allowed: %s%s%s%s\n", setting->type->allowed, setting->min,
                      *setting->max ? " to " : "", setting->max);
        print_line(&(struct line){.key = setting->key,
                                  .value = setting_format(setting, config, value),
                                  .origin = &config->origins[i],
                                  .unwritten = "default"},
                   columns, stream);
}

static void print_section(const struct config *config, const struct section *section, FILE *stream)
{
        struct columns columns = {0};

        for (size_t i = 0; i < N_SETTINGS; i++) {
                char value[VALUE_TEXT_MAX];

                if (strcmp(settings[i].section, section->name) == 0)
                        widen(&columns, settings[i].key,
                              setting_format(&settings[i], config, value));
        }
        write_comment(stream, section->doc, COLUMNS);
        (void)fprintf(stream, "[%s]\n", section->name);
        for (size_t i = 0; i < N_SETTINGS; i++)
                if (strcmp(settings[i].section, section->name) == 0)
                        print_setting(config, i, &columns, stream);
        (void)fputc('\n', stream);
}

static const char *app_type_text(const struct app_config *app)
{
        return app->type;
}

static const char *app_mount_text(const struct app_config *app)
{
        return app->mount;
}

static const char *app_fallback_text(const struct app_config *app)
{
        return app->fallback ? "yes" : "no";
}

static const char *app_request_timeout_text(const struct app_config *app)
{
        static _Thread_local char text[NUMBER_TEXT_MAX];

        return app->request_timeout == USEC_NEVER ? ""
                                                  : format_duration(app->request_timeout, text);
}

static void print_app(const struct app_config *app, FILE *stream)
{
        const char *unwritten = app->origin.file ? "default" : "command line";
        struct columns columns = {0};

#define APP_SETTING(name, text, words) widen(&columns, #name, app_##name##_text(app));
#include "config/config.def"
        for (size_t i = 0; i < app->n_keys; i++)
                widen(&columns, app->keys[i].name, app->keys[i].value);

        (void)fprintf(stream, "[app %s]\n", app->name);
#define APP_SETTING(name, text, words)                                                             \
        (void)fputc('\n', stream);                                                                 \
        write_comment(stream, words, COLUMNS);                                                     \
        print_line(&(struct line){.key = #name,                                                    \
                                  .value = app_##name##_text(app),                                 \
                                  .origin = &app->origins.name,                                    \
                                  .unwritten = unwritten},                                         \
                   &columns, stream);
#include "config/config.def"

        if (app->n_keys > 0)
                (void)fprintf(stream, "\n; Keys of the type %s.\n", app->type);
        for (size_t i = 0; i < app->n_keys; i++)
                print_line(&(struct line){.key = app->keys[i].name,
                                          .value = app->keys[i].value,
                                          .origin = &app->keys[i].origin,
                                          .unwritten = unwritten},
                           &columns, stream);
        (void)fputc('\n', stream);
}

void config_print(const struct config *config, FILE *stream)
{
        for (size_t i = 0; i < N_SECTIONS; i++)
                print_section(config, &sections[i], stream);
        if (config->n_apps > 0)
                write_comment(stream, app_doc, COLUMNS);
        for (size_t i = 0; i < config->n_apps; i++)
                print_app(&config->apps[i], stream);
}
