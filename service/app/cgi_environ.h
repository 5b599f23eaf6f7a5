/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The environment of a program (RFC 3875, 4.1). Pure; any thread.
 *
 * A header whose name has an underscore is left out: "X_A" and "X-A" would be one variable, and a
 * proxy that filters the one lets the other pass. So is Proxy (CVE-2016-5385).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/cgi_program.h"
#include "base/arena.h"
#include "request/request.h"

/* Bytes of all variables of one program: far more than a head can have, far less than exec() takes.
 */
#define CGI_ENVIRON_MAX ((size_t)256 << 10)

struct cgi_environ {
        char **variables; /* NULL-terminated */
        size_t n;
        size_t capacity;
        size_t size; /* bytes of them */
        struct arena *arena;
        int error;                     /* the first one */
        const struct header *left_out; /* the first that is no variable for its underscore */
};

/** cgi_name_free() - whether it is the name of a variable, and none that the server sets itself. */
bool cgi_name_free(const char *name, size_t size);

/** cgi_environ_add() - "@name=@value"; NULL for @value adds nothing. What fails is remembered in
 * @error: -E2BIG beyond CGI_ENVIRON_MAX, -ENOMEM. */
void cgi_environ_add(struct cgi_environ *environ, const char *name, const char *value);

/**
 * cgi_environ_fixed() - what all requests to an application have in common
 * @config: has its own variables as keys "env.NAME"
 * @lookup: gives the value of a variable of the service, NULL when it has none
 */
void cgi_environ_fixed(struct cgi_environ *environ, const struct cgi_settings *settings,
                       const struct app_config *config, char *(*lookup)(const char *name));

/**
 * cgi_environ_request() - what a request adds to that
 * @environ: empty but for its arena
 * @fixed:   what cgi_environ_fixed() gave
 */
void cgi_environ_request(struct cgi_environ *environ, const struct cgi_environ *fixed,
                         const struct cgi_settings *settings, const struct cgi_program *program,
                         const struct request *request);
