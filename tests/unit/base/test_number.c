#include <string.h>

#include "base/number.h"
#include "tests/check.h"

static void check_number(const char *text, uint64_t expected)
{
    uint64_t number = 0;

    assert_true(number_parse(text, strlen(text), &number));
    assert_true(number == expected);
}

static void digits_are_a_number(void **state)
{
    (void)state;
    check_number("0", 0);
    check_number("00042", 42);
    check_number("18446744073709551615", UINT64_MAX);
}

static void what_is_too_large_is_the_largest(void **state)
{
    (void)state;
    check_number("18446744073709551616", UINT64_MAX);
    check_number("18446744073709551619999", UINT64_MAX);
    check_number("99999999999999999999999999999999999999990", UINT64_MAX);
}

static void anything_else_is_none_and_writes_nothing(void **state)
{
    static const char *const others[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1e3", "a"};
    uint64_t number = 7;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(number_parse(others[i], strlen(others[i]), &number));
    assert_false(number_parse("1\0002", 3, &number));
    assert_int_equal(number, 7);
}

static void bytes_after_the_length_are_not_read(void **state)
{
    uint64_t number = 0;

    (void)state;
    assert_true(number_parse("12x", 2, &number));
    assert_int_equal(number, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_a_number),
        cmocka_unit_test(what_is_too_large_is_the_largest),
        cmocka_unit_test(anything_else_is_none_and_writes_nothing),
        cmocka_unit_test(bytes_after_the_length_are_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
