/* The calendar (Gregorian, UTC) for the years that RFC 3339 can say, 1 to 9999: in which hour, day,
 * week, month and year a time falls, and what lies some months before it. */
#pragma once

#include <stdint.h>

enum calendar_unit {
    CALENDAR_HOUR,
    CALENDAR_DAY,
    CALENDAR_WEEK, /* ISO 8601: from Monday; of the year that its Thursday is in */
    CALENDAR_MONTH,
    CALENDAR_YEAR,
    CALENDAR__COUNT
};

/* The number of the unit that the time falls in: the same for all times in it, and higher for all
 * later ones. Times here are seconds since 1970, between RFC3339_MIN and RFC3339_MAX. */
int64_t calendar_number(int64_t seconds, enum calendar_unit unit);

#define CALENDAR_NAME_SIZE 14 /* the longest and a NUL */

/* Its name: "2026-01-02T03", "2026-01-02", "2026-W01", "2026-01" or "2026". */
void calendar_name(int64_t seconds, enum calendar_unit unit, char out[CALENDAR_NAME_SIZE]);

/* The same day and time so many months before, or the last day of that month where it has no such
 * day; RFC3339_MIN if that is earlier still. */
int64_t calendar_go_back(int64_t seconds, uint64_t months);

/* `month` is 1 to 12. */
int calendar_days_in_month(int year, int month);
