/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a configuration file: no crash, no leak, and what is accepted is printed as a file
 * that says the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
        if (!truth)
                abort();
}

/* The configuration in the file, NULL when it is refused. */
static struct config *load(int fd)
{
        struct problems problems = {0};
        struct config *config = NULL;
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = config_load(&config, &(struct config_source){.file = path}, &problems);
        require((r < 0) == (problems.n > 0));
        problems_free(&problems);
        return config;
}

static void require_same(const struct config *one, const struct config *other)
{
        require(one->n_apps == other->n_apps);
        for (size_t i = 0; i < one->n_apps; i++) {
                const struct app_config *a = &one->apps[i], *b = &other->apps[i];

                require(strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0);
                require(strcmp(a->mount, b->mount) == 0 && a->fallback == b->fallback);
                require(a->n_keys == b->n_keys);
                for (size_t k = 0; k < a->n_keys; k++)
                        require(strcmp(a->keys[k].value, b->keys[k].value) == 0);
        }
}

static void check_print(const struct config *config)
{
        _cleanup_close_ int fd = memfd_create("printed", MFD_CLOEXEC);
        FILE *stream = fdopen(dup(fd), "w");
        struct config *again;

        require(stream != NULL);
        config_print(config, stream);
        (void)fclose(stream);
        again = load(fd);
        require(again != NULL);
        require_same(config, again);
        config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_close_ int fd = memfd_create("config", MFD_CLOEXEC);
        struct config *config;

        require(write(fd, data, size) == (ssize_t)size);
        config = load(fd);
        if (config)
                check_print(config);
        config_free(config);
        return 0;
}
