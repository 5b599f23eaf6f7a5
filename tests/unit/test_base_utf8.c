/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Well-formed sequences and those that only look so: the edges of RFC 3629's table. */
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

static void check(const char *text, size_t want)
{
        assert(utf8_size(text, strlen(text)) == want);
}

static void test_sequences_of_each_length(void)
{
        check("a", 1);
        check("\xc2\x80", 2);
        check("\xdf\xbf", 2);
        check("\xe0\xa0\x80", 3);
        check("\xed\x9f\xbf", 3);
        check("\xef\xbf\xbf", 3);
        check("\xf0\x90\x80\x80", 4);
        check("\xf4\x8f\xbf\xbf", 4);
        assert(utf8_size("", 1) == 1); /* NUL is a character */
}

static void test_what_is_no_sequence(void)
{
        check("\x80", 0);
        check("\xff", 0);
        check("\xc1\xbf", 0);         /* overlong */
        check("\xe0\x9f\xbf", 0);     /* overlong */
        check("\xf0\x8f\xbf\xbf", 0); /* overlong */
        check("\xed\xa0\x80", 0);     /* a surrogate */
        check("\xf4\x90\x80\x80", 0); /* beyond U+10FFFF */
        check("\xe2\x82", 0);         /* cut */
        check("\xe2\x82z", 0);
        check("\xc3z", 0);
}

int main(void)
{
        test_sequences_of_each_length();
        test_what_is_no_sequence();
        return 0;
}
