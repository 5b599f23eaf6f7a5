/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded list of one-line texts. One thread. */
#include "config/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* More would scroll the first ones away, and a binary file given by mistake has thousands. */
#define PROBLEMS_MAX 100

/* What is quoted of a file, and its name, neither forge a second line nor drive a terminal. */
static void make_one_line(char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

static char *locate(const struct origin *origin, const char *text)
{
        char *located;
        int r;

        if (!origin || !origin->file)
                r = asprintf(&located, "%s", text);
        else if (origin->line == 0)
                r = asprintf(&located, "%s: %s", origin->file, text);
        else
                r = asprintf(&located, "%s:%u: %s", origin->file, origin->line, text);
        return r < 0 ? NULL : located;
}

static int append(struct problems *problems, char *text)
{
        char **texts = reallocarray(problems->texts, problems->n + 1, sizeof(*texts));

        if (!texts)
                return -ENOMEM;
        problems->texts = texts;
        problems->texts[problems->n++] = text;
        return 0;
}

int problems_add(struct problems *problems, const struct origin *origin, const char *format, ...)
{
        _cleanup_free_ char *text = NULL, *located = NULL;
        va_list arguments;

        if (problems->n < PROBLEMS_MAX) {
                va_start(arguments, format);
                if (vasprintf(&text, format, arguments) < 0)
                        text = NULL;
                va_end(arguments);
                located = text ? locate(origin, text) : NULL;
        }
        if (!located || append(problems, located) < 0) {
                problems->n_lost++;
                return -EINVAL;
        }
        make_one_line(TAKE_PTR(located));
        return -EINVAL;
}

void problems_free(struct problems *problems)
{
        for (size_t i = 0; i < problems->n; i++)
                free(problems->texts[i]);
        free(problems->texts);
        *problems = (struct problems){0};
}
