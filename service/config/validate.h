/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only the whole configuration shows: whether its applications fit together. One thread. */
#pragma once

#include "config/config.h"

/** mount_complaint() - what a mount should be, completes "expected ..."; NULL when it is valid. */
const char *mount_complaint(const char *mount);

/**
 * validate_apps() - add a problem for each application without a type or a place of its own
 *
 * Among applications with one mount, a fallback gives way: it is freed and taken out of the list.
 */
void validate_apps(struct config *config, struct problems *problems);
