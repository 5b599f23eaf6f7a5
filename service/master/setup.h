/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a generation is started with: the configuration, and what was loaded for it. */
#pragma once

#include "config/config.h"
#include "master/listen.h"
#include "worker/tls.h"

struct master_options;

struct setup {
        struct config *config;
        struct tls *tls; /* NULL: no listener has it */
};

/**
 * setup_load() - load it as `serve` and `check` do: files, TARGET, kinds of application,
 * certificates
 * @ret:       ended with setup_free(), untouched on failure
 * @listeners: NULL: not known, certificates are loaded where they can be found
 *
 * Return: 0; -EINVAL when problems were added, -ENOMEM.
 */
int setup_load(struct setup *ret, const struct master_options *options,
               const struct listeners *listeners, struct problems *problems);

/** setup_free() - free it; an empty one too. */
void setup_free(struct setup *setup);
