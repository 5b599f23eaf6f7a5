/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files below one folder, which no path and no symbolic link leads out of. Any thread.
 */
#pragma once

#include <stdbool.h>

struct tree {
        int root;
        bool walk; /* the kernel cannot keep a path below a folder: links are not followed at all */
};

/**
 * tree_open() - open the folder
 * @ret: closed with tree_close(); untouched on failure
 *
 * Return: 0, or a negative errno of open().
 */
int tree_open(struct tree *ret, const char *root);

/** tree_close() - close it. */
void tree_close(struct tree *tree);

/**
 * tree_file() - open what a path means
 * @path:  relative, not empty; "." is the folder itself
 * @flags: of open(); O_CLOEXEC, O_NONBLOCK and O_NOCTTY are added where they can be
 *
 * Return: the descriptor, which the caller closes; -EXDEV for what is outside, or another negative
 * errno of open().
 */
int tree_file(const struct tree *tree, const char *path, int flags);
