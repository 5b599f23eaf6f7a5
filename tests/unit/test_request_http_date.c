/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request/http_date.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NOW INT64_C(1700000000) /* 14 Nov 2023 */

static int64_t parsed(const char *text)
{
        int64_t seconds;

        assert(http_date_parse(text, NOW, &seconds) == 0);
        return seconds;
}

static void test_all_three_formats_are_read(void)
{
        assert(parsed("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
        assert(parsed("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
        assert(parsed("Sun Nov  6 08:49:37 1994") == 784111777);
        assert(parsed("Sun, 06 Nov 1994 08:49:37 GMT \t") == 784111777);
        assert(parsed("Wed Nov 16 08:49:37 1994") == 784111777 + 10 * 86400);
}

static void test_calendar(void)
{
        assert(parsed("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
        assert(parsed("Wed, 31 Dec 1969 23:59:59 GMT") == -1);
        assert(parsed("Tue, 29 Feb 2000 12:00:00 GMT") == 951825600);
        assert(parsed("Mon, 01 Mar 2100 00:00:00 GMT") == INT64_C(4107542400));
        assert(parsed("Fri, 31 Dec 9999 23:59:59 GMT") == HTTP_DATE_LAST);
        assert(parsed("Sat, 01 Jan 0000 00:00:00 GMT") == INT64_C(-62167219200));
        assert(parsed("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800);
}

/* RFC 9110 5.6.7: at most 50 years ahead of now. */
static void test_two_digits_of_a_year(void)
{
        assert(parsed("Thursday, 01-Jan-70 00:00:00 GMT") == INT64_C(3155760000)); /* 2070 */
        assert(parsed("Wednesday, 01-Jan-75 00:00:00 GMT") == 157766400);          /* 1975 */
        assert(parsed("Saturday, 01-Jan-00 00:00:00 GMT") == 946684800);           /* 2000 */
}

static void test_what_is_no_date_is_refused(void)
{
        static const char *const texts[] = {
                "",
                "0",
                "yesterday",
                "Sun, 06 Nov 1994 08:49:37",
                "Sun, 06 Nov 1994 08:49:37 GMT x",
                " Sun, 06 Nov 1994 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 UTC",
                "Sun, 06 Nov 1994 08:49:37 gmt",
                "sun, 06 Nov 1994 08:49:37 GMT",
                "Sun, 6 Nov 1994 08:49:37 GMT",
                "Sun, 06 nov 1994 08:49:37 GMT",
                "Sun, 06  Nov 1994 08:49:37 GMT",
                "Sun, 06 Nov 94 08:49:37 GMT",
                "Sun, 06-Nov-94 08:49:37 GMT",
                "Sunday, 06-Nov-1994 08:49:37 GMT",
                "Sun Nov 6 08:49:37 1994",
                "Sun Nov  6 08:49:37 1994 GMT",
                "Sun, 00 Nov 1994 08:49:37 GMT",
                "Sun, 31 Nov 1994 08:49:37 GMT",
                "Sun, 29 Feb 1900 08:49:37 GMT",
                "Sun, 29 Feb 2023 08:49:37 GMT",
                "Sun, 06 Nov 1994 24:00:00 GMT",
                "Sun, 06 Nov 1994 08:60:00 GMT",
                "Sun, 06 Nov 1994 08:49:61 GMT",
                "Sun, 06 Nov 1994 -8:49:37 GMT",
                "Sun, 06 Nov 19940 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        };
        int64_t seconds = 7;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert(http_date_parse(texts[i], NOW, &seconds) == -EINVAL && seconds == 7);
}

static void test_what_is_written_is_read_back(void)
{
        char text[HTTP_DATE_MAX];

        assert(strcmp(http_date_format(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT") == 0);
        assert(strcmp(http_date_format(0, text), "Thu, 01 Jan 1970 00:00:00 GMT") == 0);
        for (int64_t seconds = 0; seconds < HTTP_DATE_LAST; seconds += INT64_C(86400) * 17 + 12345)
                assert(parsed(http_date_format(seconds, text)) == seconds);
        assert(parsed(http_date_format(HTTP_DATE_LAST, text)) == HTTP_DATE_LAST);
}

int main(void)
{
        test_all_three_formats_are_read();
        test_calendar();
        test_two_digits_of_a_year();
        test_what_is_no_date_is_refused();
        test_what_is_written_is_read_back();
        return 0;
}
