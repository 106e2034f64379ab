#include "base/calendar.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define HOUR 3600
#define DAY  86400

static int64_t divide_down(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static struct tm split(int64_t seconds)
{
    time_t time = seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    return tm;
}

/* 1970 began on a Thursday. */
static int64_t week_of(int64_t seconds)
{
    return divide_down(divide_down(seconds, DAY) + 3, 7);
}

static int64_t thursday_of(int64_t week)
{
    return week * 7 * DAY;
}

int64_t calendar_number(int64_t seconds, enum calendar_unit unit)
{
    struct tm tm;

    switch (unit) {
    case CALENDAR_HOUR:
        return divide_down(seconds, HOUR);
    case CALENDAR_DAY:
        return divide_down(seconds, DAY);
    case CALENDAR_WEEK:
        return week_of(seconds);
    case CALENDAR_MONTH:
        tm = split(seconds);
        return (int64_t)tm.tm_year * 12 + tm.tm_mon;
    default:
        return split(seconds).tm_year;
    }
}

void calendar_name(int64_t seconds, enum calendar_unit unit, char out[CALENDAR_NAME_SIZE])
{
    const struct tm tm = split(unit == CALENDAR_WEEK ? thursday_of(week_of(seconds)) : seconds);
    char whole[64]; /* as long as the compiler can think of */
    static const int lengths[CALENDAR__COUNT] = {13, 10, 8, 7, 4};

    if (unit == CALENDAR_WEEK)
        snprintf(whole, sizeof whole, "%04d-W%02d", tm.tm_year + 1900, tm.tm_yday / 7 + 1);
    else
        snprintf(whole, sizeof whole, "%04d-%02d-%02dT%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour);
    snprintf(out, CALENDAR_NAME_SIZE, "%.*s", lengths[unit], whole);
}

int calendar_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

int64_t calendar_go_back(int64_t seconds, uint64_t months)
{
    struct tm tm = split(seconds);
    int64_t month = ((int64_t)tm.tm_year + 1900) * 12 + tm.tm_mon; /* since the year 0 */

    if (months > (uint64_t)month - 12)
        return RFC3339_MIN;
    month -= (int64_t)months;
    int last = calendar_days_in_month((int)(month / 12), (int)(month % 12) + 1);
    tm.tm_year = (int)(month / 12) - 1900;
    tm.tm_mon = (int)(month % 12);
    tm.tm_mday = tm.tm_mday < last ? tm.tm_mday : last;
    return timegm(&tm);
}
