#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "tests/check.h"
#include "tests/random.h"

static int64_t parse(const char *time)
{
    int64_t seconds;
    int32_t nanos;

    assert_true(clock_parse_rfc3339(time, strlen(time), &seconds, &nanos));
    return seconds;
}

static void check_names(const char *time, const char *const names[CALENDAR__COUNT])
{
    char name[CALENDAR_NAME_SIZE];

    for (enum calendar_unit i = 0; i < CALENDAR__COUNT; i++) {
        calendar_name(parse(time), i, name);
        assert_string_equal(name, names[i]);
    }
}

#define CHECK_NAMES(time, ...) check_names(time, (const char *const[]){__VA_ARGS__})

static void a_time_has_the_names_of_its_hour_day_week_month_and_year(void **state)
{
    (void)state;
    CHECK_NAMES("2026-01-02T03:59:59Z", "2026-01-02T03", "2026-01-02", "2026-W01", "2026-01",
                "2026");
    CHECK_NAMES("2024-02-29T23:00:00Z", "2024-02-29T23", "2024-02-29", "2024-W09", "2024-02",
                "2024");
    CHECK_NAMES("0001-01-01T00:00:00Z", "0001-01-01T00", "0001-01-01", "0001-W01", "0001-01",
                "0001");
    CHECK_NAMES("9999-12-31T23:59:59Z", "9999-12-31T23", "9999-12-31", "9999-W52", "9999-12",
                "9999");
}

static void a_week_belongs_to_the_year_of_its_thursday(void **state)
{
    (void)state;
    CHECK_NAMES("2021-01-03T12:00:00Z", "2021-01-03T12", "2021-01-03", "2020-W53", "2021-01",
                "2021");
    CHECK_NAMES("2024-12-30T00:00:00Z", "2024-12-30T00", "2024-12-30", "2025-W01", "2024-12",
                "2024");
    CHECK_NAMES("1969-12-29T00:00:00Z", "1969-12-29T00", "1969-12-29", "1970-W01", "1969-12",
                "1969");
}

static void numbers_rise_where_names_change(void **state)
{
    char before[CALENDAR_NAME_SIZE];
    char after[CALENDAR_NAME_SIZE];
    uint64_t seed = 4;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        int64_t at = RFC3339_MIN
            + (int64_t)(random_next(&seed) % (uint64_t)(RFC3339_MAX - RFC3339_MIN));
        int64_t later = at + random_below(&seed, 90000);
        later = later > RFC3339_MAX ? RFC3339_MAX : later;
        for (enum calendar_unit i = 0; i < CALENDAR__COUNT; i++) {
            calendar_name(at, i, before);
            calendar_name(later, i, after);
            int order = strcmp(before, after);
            int64_t step = calendar_number(later, i) - calendar_number(at, i);
            assert_true(order == 0 ? step == 0 : order < 0 && step > 0);
        }
    }
}

static void check_back(const char *from, uint64_t months, const char *to)
{
    assert_int_equal(calendar_go_back(parse(from), months), parse(to));
}

static void months_before_end_on_the_last_day_that_there_is(void **state)
{
    (void)state;
    check_back("2026-03-31T01:02:03Z", 0, "2026-03-31T01:02:03Z");
    check_back("2026-03-31T01:02:03Z", 1, "2026-02-28T01:02:03Z");
    check_back("2024-03-31T01:02:03Z", 1, "2024-02-29T01:02:03Z");
    check_back("2024-02-29T00:00:00Z", 12, "2023-02-28T00:00:00Z");
    check_back("2024-02-29T00:00:00Z", 48, "2020-02-29T00:00:00Z");
    check_back("2000-03-30T00:00:00Z", 1201, "1900-02-28T00:00:00Z");
    check_back("2026-01-15T00:00:00Z", 1, "2025-12-15T00:00:00Z");
}

static void nothing_is_before_the_year_1(void **state)
{
    (void)state;
    check_back("0001-12-31T23:59:59Z", 11, "0001-01-31T23:59:59Z");
    check_back("0001-12-31T23:59:59Z", 12, "0001-01-01T00:00:00Z");
    check_back("9999-12-31T23:59:59Z", UINT64_MAX, "0001-01-01T00:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_has_the_names_of_its_hour_day_week_month_and_year),
        cmocka_unit_test(a_week_belongs_to_the_year_of_its_thursday),
        cmocka_unit_test(numbers_rise_where_names_change),
        cmocka_unit_test(months_before_end_on_the_last_day_that_there_is),
        cmocka_unit_test(nothing_is_before_the_year_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
