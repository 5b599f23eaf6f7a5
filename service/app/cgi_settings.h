/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of an application of type cgi. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* What begins the keys that give variables: env.GIT_PROJECT_ROOT. */
#define CGI_ENV_PREFIX "env."

struct cgi_settings {
        const char *program;       /* absolute; "": @root. All texts are the configuration's */
        const char *root;          /* absolute; "": @program */
        const char *interpreter;   /* absolute; "": programs run themselves */
        const char *document_root; /* absolute; "": that of @root */
        const char *inherit;       /* names of variables, see cgi_settings_next() */
        uint64_t timeout;          /* microseconds, as all durations; 0: none */
        uint64_t deadline;
        uint64_t linger;
        uint64_t output_limit; /* bytes, as all sizes; 0: none */
        uint64_t error_limit;
        uint64_t concurrency;  /* 0: as many as there are threads */
        uint64_t limit_memory; /* 0: the service's own, as those that follow */
        uint64_t limit_cpu;    /* seconds */
        uint64_t limit_files;
        uint64_t limit_file_size;
        bool authorization;
        bool detach; /* what leaves its group and its streams outlives a program that has ended */
};

/**
 * cgi_settings_read() - read the keys, those that are missing with their defaults
 * @ret: untouched on failure
 *
 * Return: 0, or -EINVAL when problems were added.
 */
int cgi_settings_read(struct cgi_settings *ret, const struct app_config *config,
                      struct problems *problems);

/** cgi_settings_origin() - where a key was written; the section's place when it was not. */
const struct origin *cgi_settings_origin(const struct app_config *config, const char *name);

/** cgi_settings_next() - the next name of a list, parted by commas or blanks; moves @list behind
 * it. Return: its size; 0: there is none. */
size_t cgi_settings_next(const char **list, const char **ret);
