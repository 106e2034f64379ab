#include "base/clock.h"

#include <stdatomic.h>
#include <string.h>

#include "base/calendar.h"

typedef struct timespec wall_clock(void);

/* Threads that nobody asked may look at it while a test replaces it. */
static _Atomic(wall_clock *) replacement;

void clock_replace(struct timespec (*now)(void))
{
    atomic_store(&replacement, now);
}

struct timespec clock_now(void)
{
    wall_clock *replaced = atomic_load(&replacement);
    struct timespec now;

    if (replaced)
        return replaced();
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

uint64_t clock_unix_ms(void)
{
    struct timespec now = clock_now();

    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* `digits` of the value, and what stands behind them. */
static char *put(char *at, int value, int digits, char after)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[digits] = after;
    return at + digits + 1;
}

/* By hand: every line of the log has one, and snprintf() would be most of its cost. */
static char *put_seconds(char *at, int64_t seconds, char after)
{
    time_t time = seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    at = put(at, tm.tm_year + 1900, 4, '-');
    at = put(at, tm.tm_mon + 1, 2, '-');
    at = put(at, tm.tm_mday, 2, 'T');
    at = put(at, tm.tm_hour, 2, ':');
    at = put(at, tm.tm_min, 2, ':');
    return put(at, tm.tm_sec, 2, after);
}

void clock_format_rfc3339(int64_t seconds, int32_t nanos, char out[RFC3339_SIZE])
{
    char *end = put_seconds(out, seconds, nanos ? '.' : 'Z');

    if (nanos % 1000 != 0)
        end = put(end, nanos, 9, 'Z');
    else if (nanos % 1000000 != 0)
        end = put(end, nanos / 1000, 6, 'Z');
    else if (nanos != 0)
        end = put(end, nanos / 1000000, 3, 'Z');
    *end = '\0';
}

void clock_format_aligned(struct timespec time, char out[RFC3339_SIZE])
{
    char *end = put(put_seconds(out, time.tv_sec, '.'), (int)(time.tv_nsec / 1000000), 3, 'Z');

    *end = '\0';
}

/* What is left of the text to be parsed. */
struct rest {
    const char *at;
    size_t len;
};

static bool take_char(struct rest *rest, const char *any)
{
    if (rest->len == 0 || *rest->at == '\0' || !strchr(any, *rest->at))
        return false;
    rest->at++;
    rest->len--;
    return true;
}

static bool take_number(struct rest *rest, int digits, int min, int max, int *out)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        char c = rest->len ? *rest->at : '\0';
        if (!take_char(rest, "0123456789"))
            return false;
        value = value * 10 + (c - '0');
    }
    *out = value;
    return value >= min && value <= max;
}

static bool take_fraction(struct rest *rest, int32_t *nanos)
{
    int32_t unit = 100000000;

    *nanos = 0;
    if (!take_char(rest, "."))
        return true;
    for (int digits = 0;; digits++) {
        int digit;
        if (!take_number(rest, 1, 0, 9, &digit))
            return digits > 0;
        if (digits == 9)
            return false;
        *nanos += digit * unit;
        unit /= 10;
    }
}

static bool take_offset(struct rest *rest, int *seconds)
{
    bool minus = rest->len && *rest->at == '-';
    int hours;
    int minutes;

    *seconds = 0;
    if (take_char(rest, "Zz"))
        return true;
    if (!take_char(rest, "+-") || !take_number(rest, 2, 0, 23, &hours) || !take_char(rest, ":")
        || !take_number(rest, 2, 0, 59, &minutes))
        return false;
    *seconds = (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool take_date(struct rest *rest, struct tm *tm)
{
    int year;
    int month;

    if (!take_number(rest, 4, 0, 9999, &year) || !take_char(rest, "-")
        || !take_number(rest, 2, 1, 12, &month) || !take_char(rest, "-")
        || !take_number(rest, 2, 1, calendar_days_in_month(year, month), &tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return true;
}

static bool take_time(struct rest *rest, struct tm *tm)
{
    return take_number(rest, 2, 0, 23, &tm->tm_hour) && take_char(rest, ":")
        && take_number(rest, 2, 0, 59, &tm->tm_min) && take_char(rest, ":")
        && take_number(rest, 2, 0, 59, &tm->tm_sec);
}

bool clock_parse_rfc3339(const char *string, size_t len, int64_t *seconds, int32_t *nanos)
{
    struct rest rest = {string, len};
    struct tm tm = {0};
    int32_t fraction;
    int offset;

    if (!take_date(&rest, &tm) || !take_char(&rest, "Tt") || !take_time(&rest, &tm)
        || !take_fraction(&rest, &fraction) || !take_offset(&rest, &offset) || rest.len > 0)
        return false;
    int64_t utc = timegm(&tm) - offset;
    if (utc < RFC3339_MIN || utc > RFC3339_MAX)
        return false;
    *seconds = utc;
    *nanos = fraction;
    return true;
}
