/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files without a name. Any thread. */
#pragma once

#include <stddef.h>

/** temporary_file() - Return: a descriptor, open for both directions; or a negative errno. */
int temporary_file(void);
