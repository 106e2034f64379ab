#include <string.h>

#include "base/clock.h"
#include "tests/check.h"

static struct timespec moment(void)
{
    return (struct timespec){1234567890, 987654321};
}

static void the_clock_can_be_replaced_and_brought_back(void **state)
{
    (void)state;
    clock_replace(moment);
    assert_int_equal(clock_now().tv_sec, 1234567890);
    assert_int_equal(clock_now().tv_nsec, 987654321);
    assert_int_equal(clock_unix_ms(), 1234567890987);
    clock_replace(NULL);
    assert_true(clock_now().tv_sec > 1700000000);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    uint64_t last = clock_monotonic_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void check_format(int64_t seconds, int32_t nanos, const char *expected)
{
    char out[RFC3339_SIZE];
    int64_t read_seconds;
    int32_t read_nanos;

    clock_format_rfc3339(seconds, nanos, out);
    assert_string_equal(out, expected);
    assert_true(clock_parse_rfc3339(out, strlen(out), &read_seconds, &read_nanos));
    assert_int_equal(read_seconds, seconds);
    assert_int_equal(read_nanos, nanos);
}

static void times_are_written_with_as_few_digits_as_are_exact(void **state)
{
    (void)state;
    check_format(1234567890, 0, "2009-02-13T23:31:30Z");
    check_format(1234567890, 120000000, "2009-02-13T23:31:30.120Z");
    check_format(1234567890, 1000000, "2009-02-13T23:31:30.001Z");
    check_format(1234567890, 1000, "2009-02-13T23:31:30.000001Z");
    check_format(1234567890, 999999000, "2009-02-13T23:31:30.999999Z");
    check_format(1234567890, 1, "2009-02-13T23:31:30.000000001Z");
    check_format(1234567890, 999999999, "2009-02-13T23:31:30.999999999Z");
}

static void the_years_1_to_9999_can_be_written(void **state)
{
    (void)state;
    check_format(RFC3339_MIN, 0, "0001-01-01T00:00:00Z");
    check_format(RFC3339_MAX, 999999999, "9999-12-31T23:59:59.999999999Z");
    check_format(0, 0, "1970-01-01T00:00:00Z");
    check_format(-1, 500000000, "1969-12-31T23:59:59.500Z");
    check_format(951782400, 0, "2000-02-29T00:00:00Z");
}

static void check_parse(const char *string, int64_t expected_seconds, int32_t expected_nanos)
{
    int64_t seconds;
    int32_t nanos;

    if (!clock_parse_rfc3339(string, strlen(string), &seconds, &nanos))
        fail_msg("%s is not read", string);
    assert_int_equal(seconds, expected_seconds);
    assert_int_equal(nanos, expected_nanos);
}

static void offsets_are_taken_into_account(void **state)
{
    (void)state;
    check_parse("2009-02-14T01:31:30+02:00", 1234567890, 0);
    check_parse("2009-02-13T18:01:30-05:30", 1234567890, 0);
    check_parse("2009-02-13T23:31:30-00:00", 1234567890, 0);
    check_parse("2009-02-13t23:31:30z", 1234567890, 0);
    check_parse("2009-02-14T23:30:30.25+23:59", 1234567890, 250000000);
    check_parse("0001-01-01T00:00:00-00:01", RFC3339_MIN + 60, 0);
    check_parse("0000-12-31T23:59:00-00:01", RFC3339_MIN, 0);
}

static void fractions_have_one_to_nine_digits(void **state)
{
    (void)state;
    check_parse("1970-01-01T00:00:00.5Z", 0, 500000000);
    check_parse("1970-01-01T00:00:00.05Z", 0, 50000000);
    check_parse("1970-01-01T00:00:00.123456789Z", 0, 123456789);
    check_parse("1970-01-01T00:00:00.000000000+00:00", 0, 0);
}

static void what_is_no_time_is_refused_and_writes_nothing(void **state)
{
    static const char *const strings[] = {
        "",
        "2009-02-13",
        "2009-02-13T23:31:30",
        "2009-02-13 23:31:30Z",
        "2009-02-13T23:31Z",
        "2009-2-13T23:31:30Z",
        "09-02-13T23:31:30Z",
        "2009-02-13T23:31:30.Z",
        "2009-02-13T23:31:30.0000000000Z",
        "2009-02-13T23:31:30,5Z",
        "2009-02-13T23:31:30Z ",
        " 2009-02-13T23:31:30Z",
        "2009-02-13T23:31:30+0200",
        "2009-02-13T23:31:30+02",
        "2009-02-13T23:31:30+24:00",
        "2009-02-13T23:31:30+02:60",
        "2009-02-13T23:31:30+02:00Z",
        "2009-00-13T23:31:30Z",
        "2009-13-13T23:31:30Z",
        "2009-02-00T23:31:30Z",
        "2009-02-29T23:31:30Z",
        "1900-02-29T00:00:00Z",
        "2009-04-31T00:00:00Z",
        "2009-02-13T24:00:00Z",
        "2009-02-13T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "+009-02-13T23:31:30Z",
        "2009-02-13T23:31:3 Z",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
    };
    int64_t seconds = 7;
    int32_t nanos = 8;

    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (clock_parse_rfc3339(strings[i], strlen(strings[i]), &seconds, &nanos))
            fail_msg("%s is read", strings[i]);
    assert_false(clock_parse_rfc3339("2009-02-13T23:31:30\0", 20, &seconds, &nanos));
    assert_int_equal(seconds, 7);
    assert_int_equal(nanos, 8);
}

static void no_prefix_of_a_time_is_one(void **state)
{
    static const char string[] = "2009-02-13T23:31:30.123+02:00";
    int64_t seconds;
    int32_t nanos;

    (void)state;
    for (size_t len = 0; len < sizeof string - 1; len++)
        assert_false(clock_parse_rfc3339(string, len, &seconds, &nanos));
}

static void check_aligned(int64_t seconds, long nanos, const char *expected)
{
    char out[RFC3339_SIZE];

    clock_format_aligned((struct timespec){seconds, nanos}, out);
    assert_string_equal(out, expected);
}

static void aligned_times_have_three_digits(void **state)
{
    (void)state;
    check_aligned(0, 0, "1970-01-01T00:00:00.000Z");
    check_aligned(1234567890, 999999999, "2009-02-13T23:31:30.999Z");
    check_aligned(-1, 1000000, "1969-12-31T23:59:59.001Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_can_be_replaced_and_brought_back),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(times_are_written_with_as_few_digits_as_are_exact),
        cmocka_unit_test(the_years_1_to_9999_can_be_written),
        cmocka_unit_test(offsets_are_taken_into_account),
        cmocka_unit_test(fractions_have_one_to_nine_digits),
        cmocka_unit_test(what_is_no_time_is_refused_and_writes_nothing),
        cmocka_unit_test(no_prefix_of_a_time_is_one),
        cmocka_unit_test(aligned_times_have_three_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
