#include <string.h>

#include "base/utf8.h"
#include "tests/check.h"

static void assert_valid(const char *text, size_t len)
{
    assert_true(utf8_is_valid(text, len));
}

static void assert_fault(const char *text, size_t len, size_t index, size_t fault_len)
{
    struct utf8_fault fault = {0};

    assert_false(utf8_is_valid(text, len));
    assert_false(utf8_check(text, len, &fault));
    assert_int_equal(fault.index, index);
    assert_int_equal(fault.len, fault_len);
}

#define ASSERT_VALID(literal) assert_valid(literal, sizeof(literal) - 1)
#define ASSERT_FAULT(literal, index, fault_len) \
    assert_fault(literal, sizeof(literal) - 1, index, fault_len)

static void the_edges_of_every_range_are_valid(void **state)
{
    (void)state;
    ASSERT_VALID("");
    ASSERT_VALID("a\0\x7f");
    ASSERT_VALID("\xc2\x80\xdf\xbf");
    ASSERT_VALID("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
    ASSERT_VALID("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void a_byte_that_begins_nothing_is_a_fault_of_one(void **state)
{
    (void)state;
    ASSERT_FAULT("ab\x80", 2, 1);
    ASSERT_FAULT("\xc0\x80", 0, 1);
    ASSERT_FAULT("\xc1\xbf", 0, 1);
    ASSERT_FAULT("\xf5\x80\x80\x80", 0, 1);
    ASSERT_FAULT("\xc3\xa9\xff", 2, 1);
}

static void overlong_forms_surrogates_and_the_beyond_are_faults_of_one(void **state)
{
    (void)state;
    ASSERT_FAULT("\xe0\x9f\xbf", 0, 1);
    ASSERT_FAULT("\xed\xa0\x80", 0, 1);
    ASSERT_FAULT("\xf0\x8f\xbf\xbf", 0, 1);
    ASSERT_FAULT("\xf4\x90\x80\x80", 0, 1);
}

static void a_broken_sequence_is_a_fault_as_long_as_it_was_good(void **state)
{
    (void)state;
    ASSERT_FAULT("\xc3x", 0, 1);
    ASSERT_FAULT("\xe2\x82x", 0, 2);
    ASSERT_FAULT("\xf0\x9f\x98x", 0, 3);
    ASSERT_FAULT("\xf0\x9fx", 0, 2);
}

static void a_sequence_cut_off_by_the_end_is_incomplete(void **state)
{
    (void)state;
    ASSERT_FAULT("x\xc3", 1, 0);
    ASSERT_FAULT("\xe2\x82", 0, 0);
    ASSERT_FAULT("\xf0\x9f\x98", 0, 0);
    ASSERT_FAULT("\xed", 0, 0);
}

static void a_sequence_is_measured(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence("", 0), 0);
    assert_int_equal(utf8_sequence("ab", 2), 1);
    assert_int_equal(utf8_sequence("\xf0\x9f\x98\x80x", 5), 4);
    assert_int_equal(utf8_sequence("\xf0\x9f\x98\x80x", 3), 0);
    assert_int_equal(utf8_sequence("\x80", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edges_of_every_range_are_valid),
        cmocka_unit_test(a_byte_that_begins_nothing_is_a_fault_of_one),
        cmocka_unit_test(overlong_forms_surrogates_and_the_beyond_are_faults_of_one),
        cmocka_unit_test(a_broken_sequence_is_a_fault_as_long_as_it_was_good),
        cmocka_unit_test(a_sequence_cut_off_by_the_end_is_incomplete),
        cmocka_unit_test(a_sequence_is_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
