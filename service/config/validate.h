/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only the configuration as a whole can show: whether its applications fit together. One
 * thread. */
#pragma once

#include "config/config.h"

/** mount_complaint() - what is wrong with a mount; completes "expected ...". Return: NULL when
 * nothing is. */
const char *mount_complaint(const char *mount);

/**
 * validate_apps() - whether each application has a type and a place of its own; one problem for
 * each that has not
 *
 * Among applications with one mount, a fallback gives way: it is freed and taken out of the list.
 */
void validate_apps(struct config *config, struct problems *problems);
