/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watch over what applications and configuration are made of, for `serve --reload`: tells when
 * a file has changed, once for all that change together.
 *
 * Looked at are the configuration's files, the shared object of a native application (path), and
 * all *.py below the folders in which an application in Python is looked for (chdir, pythonpath, or
 * the working directory), down to a depth and up to a number that no project of one's own has.
 */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "log/log.h"

struct watch;

/**
 * watch_new() - a watch over nothing yet
 * @ret:     freed with watch_free(); untouched on failure
 * @log:     borrowed; it is told there what has changed
 * @changed: is called when nothing more has changed for a moment
 *
 * Return: 0, or a negative errno.
 */
int watch_new(struct watch **ret, sd_event *event, struct log *log, void (*changed)(void *data),
              void *data);

/** watch_free() - accepts NULL. */
void watch_free(struct watch *watch);

/** watch_follow() - look at what this configuration is made of, too; what is watched already stays
 * so. Does nothing for NULL. */
void watch_follow(struct watch *watch, const struct config_source *source,
                  const struct config *config);
