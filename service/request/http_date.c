/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP dates: a table of formats and what their letters mean. Any thread. */
#include "request/http_date.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "request/request.h"

#define SECONDS_PER_DAY INT64_C(86400)

/* 50 years of the Gregorian calendar. */
#define FIFTY_YEARS INT64_C(1577847600)

/*
 * RFC 9110 5.6.7: IMF-fixdate, rfc850-date, asctime-date. Letters as take_field() has them; all
 * other bytes stand for themselves.
 */
static const char *const formats[] = {
        "a, d m Y h:i:s GMT",
        "A, d-m-y h:i:s GMT",
        "a m e h:i:s Y",
};

static const char *const days[] = {
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", NULL,
};
static const char *const long_days[] = {
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", NULL,
};
static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", NULL,
};

struct date {
        unsigned year;
        bool short_year; /* the year has two digits */
        unsigned month;  /* from 0 */
        unsigned day;    /* from 1 */
        unsigned hour;
        unsigned minute;
        unsigned second;
};

static bool take_number(const char **text, unsigned n_digits, unsigned *ret)
{
        unsigned value = 0;

        for (; n_digits > 0; n_digits--, (*text)++) {
                if (**text < '0' || **text > '9')
                        return false;
                value = value * 10 + (unsigned)(**text - '0');
        }
        *ret = value;
        return true;
}

static bool take_name(const char **text, const char *const *names, unsigned *ret)
{
        for (unsigned i = 0; names[i]; i++) {
                size_t size = strlen(names[i]);

                if (strncmp(*text, names[i], size) != 0)
                        continue;
                *text += size;
                *ret = i;
                return true;
        }
        return false;
}

static bool take_literal(const char **text, char byte)
{
        if (**text != byte)
                return false;
        (*text)++;
        return true;
}

static bool take_field(const char **text, char letter, struct date *date)
{
        unsigned unused;

        switch (letter) {
        case 'a':
                return take_name(text, days, &unused);
        case 'A':
                return take_name(text, long_days, &unused);
        case 'm':
                return take_name(text, months, &date->month);
        case 'd':
                return take_number(text, 2, &date->day);
        case 'e': /* a blank instead of a leading zero */
                return take_number(text, take_literal(text, ' ') ? 1 : 2, &date->day);
        case 'Y':
                return take_number(text, 4, &date->year);
        case 'y':
                date->short_year = true;
                return take_number(text, 2, &date->year);
        case 'h':
                return take_number(text, 2, &date->hour);
        case 'i':
                return take_number(text, 2, &date->minute);
        case 's':
                return take_number(text, 2, &date->second);
        default:
                return take_literal(text, letter);
        }
}

static bool matches(const char *text, const char *format, struct date *ret)
{
        struct date date = {0};

        for (; *format; format++) {
                if (!take_field(&text, *format, &date))
                        return false;
        }
        *ret = date;
        return value_ends(text);
}

static bool leap_year(unsigned year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_of_month(unsigned month, unsigned year)
{
        static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

        return month == 1 && leap_year(year) ? 29 : lengths[month];
}

/* A second of 60 is a leap second. */
static bool exists(const struct date *date)
{
        return date->day >= 1 && date->day <= days_of_month(date->month, date->year) &&
               date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

/* Days from 1970 to the first of January of a year. */
static int64_t days_to_year(unsigned year)
{
        int64_t before = (int64_t)year - 1;
        int64_t leap_days = before / 4 - before / 100 + before / 400 - 477; /* 477 before 1970 */

        if (year == 0) /* division rounds towards 0, and year 0 is a leap year */
                leap_days--;
        return ((int64_t)year - 1970) * 365 + leap_days;
}

static int64_t seconds_of(const struct date *date)
{
        int64_t n_days = days_to_year(date->year) + date->day - 1;

        for (unsigned month = 0; month < date->month; month++)
                n_days += days_of_month(month, date->year);
        return n_days * SECONDS_PER_DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

/*
 * RFC 9110 5.6.7: what appears to be more than 50 years in the future is the most recent year in
 * the past with the same last two digits.
 */
static void complete_year(struct date *date, int64_t now)
{
        struct tm today = {0};
        const time_t seconds = (time_t)now;

        (void)gmtime_r(&seconds, &today);
        date->year += (unsigned)(today.tm_year + 1900) / 100 * 100;
        if (seconds_of(date) > now + FIFTY_YEARS)
                date->year -= 100;
}

int http_date_parse(const char *text, int64_t now, int64_t *ret)
{
        struct date date;
        size_t i = 0;

        while (i < sizeof(formats) / sizeof(formats[0]) && !matches(text, formats[i], &date))
                i++;
        if (i == sizeof(formats) / sizeof(formats[0]))
                return -EINVAL;
        if (date.short_year)
                complete_year(&date, now);
        if (!exists(&date))
                return -EINVAL;
        *ret = seconds_of(&date);
        return 0;
}

char *http_date_format(int64_t seconds, char text[static HTTP_DATE_MAX])
{
        struct tm date = {0};
        const time_t time = (time_t)seconds;

        (void)gmtime_r(&time, &date);
        /* The remainders tell the compiler how long the text can get. */
        (void)snprintf(text, HTTP_DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT",
                       days[(unsigned)date.tm_wday % 7], (unsigned)date.tm_mday % 100,
                       months[(unsigned)date.tm_mon % 12], (unsigned)(date.tm_year + 1900) % 10000,
                       (unsigned)date.tm_hour % 100, (unsigned)date.tm_min % 100,
                       (unsigned)date.tm_sec % 100);
        return text;
}
