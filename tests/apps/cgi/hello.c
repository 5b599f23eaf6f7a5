/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least that a CGI program does; measured by tests/bench/cgi.py. */
#include <stdio.h>

int main(void)
{
        return puts("Content-Type: text/plain\n\nhello, world") < 0;
}
