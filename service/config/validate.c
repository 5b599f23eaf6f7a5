/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks across files and sections, when all are read. One thread. */
#include "config/validate.h"

#include <string.h>

#include "config/apps.h"

/* A request's path never holds these once it is canonical, so that such a mount matched nothing. */
static const char *segment_complaint(const char *segment, size_t length)
{
        if (length == 0)
                return "no empty segment and no slash at the end";
        if ((length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
                return "no segment . or ..";
        return NULL;
}

const char *mount_complaint(const char *mount)
{
        const char *complaint = NULL;
        const char *segment = mount + 1;

        if (mount[0] != '/')
                return "a path that begins with /";
        if (strpbrk(mount, "%?#"))
                return "none of % ? # in it";
        for (const char *at = mount; *at; at++)
                if ((unsigned char)*at < ' ' || *at == 0x7f)
                        return "no control byte in it";
        if (mount[1] == '\0')
                return NULL;
        for (;;) {
                size_t length = strcspn(segment, "/");

                complaint = segment_complaint(segment, length);
                if (complaint || segment[length] == '\0')
                        return complaint;
                segment += length + 1;
        }
}

static const struct origin *mount_origin(const struct app_config *app)
{
        return app->origins.mount.file ? &app->origins.mount : &app->origin;
}

static void check_type(const struct app_config *app, struct problems *problems)
{
        if (*app->type == '\0' &&
            !app->origins.type.file) /* an empty one is told where it stands */
                (void)problems_add(
                        problems, &app->origin,
                        "[app %s] type: missing, expected the kind of application such as native",
                        app->name);
}

static bool same_mount(const struct app_config *one, const struct app_config *other)
{
        return strcmp(one->mount, other->mount) == 0;
}

/* Two of a kind at one mount: neither has a reason to give way. */
static void check_place(const struct app_config *app, const struct app_config *earlier,
                        struct problems *problems)
{
        const struct origin *there = mount_origin(earlier);

        if (same_mount(app, earlier) && app->fallback == earlier->fallback)
                (void)problems_add(problems, mount_origin(app),
                                   "[app %s] mount: '%s' is taken by %s[app %s] at %s:%u",
                                   app->name, app->mount, app->fallback ? "another fallback, " : "",
                                   earlier->name, there->file, there->line);
}

static bool gives_way(const struct config *config, const struct app_config *app)
{
        if (!app->fallback)
                return false;
        for (size_t i = 0; i < config->n_apps; i++)
                if (!config->apps[i].fallback && same_mount(app, &config->apps[i]))
                        return true;
        return false;
}

static void remove_app(struct config *config, size_t i)
{
        app_config_clear(&config->apps[i]);
        config->n_apps--;
        memmove(&config->apps[i], &config->apps[i + 1],
                (config->n_apps - i) * sizeof(config->apps[0]));
}

void validate_apps(struct config *config, struct problems *problems)
{
        for (size_t i = 0; i < config->n_apps; i++) {
                check_type(&config->apps[i], problems);
                for (size_t earlier = 0; earlier < i; earlier++)
                        check_place(&config->apps[i], &config->apps[earlier], problems);
        }
        for (size_t i = config->n_apps; i > 0; i--)
                if (gives_way(config, &config->apps[i - 1]))
                        remove_app(config, i - 1);
}
