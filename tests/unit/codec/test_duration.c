#include "codec/duration.h"
#include "tests/check.h"

#define DAY UINT64_C(86400)

static void check(const char *string, uint64_t months, uint64_t seconds)
{
    struct duration duration;
    struct duration again;
    const char *why = NULL;
    char written[DURATION_SIZE];

    if (!duration_parse(string, &duration, &why))
        fail_msg("%s: %s", string, why);
    assert_int_equal(duration.months, months);
    assert_int_equal(duration.seconds, seconds);
    duration_format(&duration, written);
    assert_true(duration_parse(written, &again, &why));
    assert_memory_equal(&again, &duration, sizeof again);
}

static void durations_are_months_and_seconds(void **state)
{
    (void)state;
    check("P1Y2M10DT2H30M", 14, 10 * DAY + UINT64_C(9000));
    check("P1Y", 12, 0);
    check("P1M", 1, 0);
    check("PT1M", 0, 60);
    check("P2W", 0, 14 * DAY);
    check("P1DT1S", 0, DAY + 1);
    check("PT36H", 0, DAY + DAY / 2);
    check("PT007S", 0, 7);
    check("P0D", 0, 0);
}

static void what_is_longer_than_all_years_is_as_long_as_these(void **state)
{
    (void)state;
    check("P10000Y", 120000, 0);
    check("P10001Y", 120000, 0);
    check("P999999999Y999999999M999999999DT999999999H", 120000, 3660000 * DAY);
}

static void anything_else_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "p1d",
        "P1d",
        " P1D",
        "P1D ",
        "P1D1D",
        "P1D1M",
        "P1DT",
        "P1H",
        "PT1D",
        "PT1Y",
        "P1W1D",
        "P1D1W",
        "P1WT1H",
        "PT1W",
        "P-1D",
        "-P1D",
        "+P1D",
        "P+1D",
        "P1.5D",
        "PT0,5S",
        "P1Y-2M",
        "P1S",
        "PT1S1H",
        "PTT1S",
        "PT1HT1M",
        "P1X",
        "P1000000000D",
        "P1DT1",
        "P 1D",
        "P0001-01-01T00:00:00",
        "P²D",
        "P1MT1M1M",
    };
    struct duration duration = {7, 7};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *why = NULL;
        if (duration_parse(bad[i], &duration, &why))
            fail_msg("%s was taken", bad[i]);
        assert_non_null(why);
    }
    assert_int_equal(duration.months, 7);
    assert_int_equal(duration.seconds, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_months_and_seconds),
        cmocka_unit_test(what_is_longer_than_all_years_is_as_long_as_these),
        cmocka_unit_test(anything_else_is_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
