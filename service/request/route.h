/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which application a path belongs to: the longest mount that ends at a segment boundary. Pure;
 * loop thread.
 */
#pragma once

#include <stddef.h>

#include "config/config.h"

/**
 * route_find() - find the application of a path
 *
 * Return: its index in config->apps, or -ENOENT.
 */
int route_find(const struct config *config, const char *path, size_t path_size);
