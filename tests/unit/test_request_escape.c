/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/escape.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void check(void (*escape)(FILE *stream, const char *text), const char *text,
                  const char *expected)
{
        char *written = NULL;
        size_t size;
        FILE *stream = open_memstream(&written, &size);

        assert(stream);
        escape(stream, text);
        assert(fclose(stream) == 0);
        assert(strcmp(written, expected) == 0);
        free(written);
}

static void test_path(void)
{
        check(escape_path, "", "");
        check(escape_path, "/a-b/c.d_e~f/019", "/a-b/c.d_e~f/019");
        check(escape_path, "a b%?#&\"<>'\\:;@+", "a%20b%25%3F%23%26%22%3C%3E%27%5C%3A%3B%40%2B");
        check(escape_path, "\xc3\xa9\x01\xff\r\n", "%C3%A9%01%FF%0D%0A");
}

static void test_html(void)
{
        check(escape_html, "", "");
        check(escape_html, "plain \xc3\xa9 %20", "plain \xc3\xa9 %20");
        check(escape_html, "<b a=\"c\" d='e'>&amp;",
              "&#60;b a=&#34;c&#34; d=&#39;e&#39;&#62;&#38;amp;");
}

int main(void)
{
        test_path();
        test_html();
        return 0;
}
