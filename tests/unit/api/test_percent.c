#include <string.h>

#include "api/percent.h"
#include "tests/check.h"

static void check_text(const char *in, const char *expected)
{
    char out[64];
    size_t len;

    assert_int_equal(percent_decode(in, strlen(in), out, &len), PERCENT_TEXT);
    assert_string_equal(out, expected);
    assert_int_equal(len, strlen(expected));
}

static void check_outcome(const char *in, enum percent expected)
{
    char out[64];
    size_t len;

    assert_int_equal(percent_decode(in, strlen(in), out, &len), expected);
}

static void escapes_are_decoded_and_all_else_stands(void **state)
{
    (void)state;
    check_text("", "");
    check_text("a+b", "a+b");
    check_text("%41%7a%7A", "Azz");
    check_text("%2541", "%41");
    check_text("%c3%A9%E2%82%ac%F0%9F%98%80", "\u00e9\u20ac\U0001f600");
    check_text("%0a%20", "\n ");
}

static void an_escape_is_two_hex_digits(void **state)
{
    (void)state;
    check_outcome("%", PERCENT_MALFORMED);
    check_outcome("%4", PERCENT_MALFORMED);
    check_outcome("%4%41", PERCENT_MALFORMED);
    check_outcome("%%41", PERCENT_MALFORMED);
    check_outcome("%G0", PERCENT_MALFORMED);
    check_outcome("%0G", PERCENT_MALFORMED);
    check_outcome("%-1", PERCENT_MALFORMED);
    check_outcome("a#b", PERCENT_MALFORMED);
    check_outcome("a b", PERCENT_MALFORMED);
    check_outcome("a\nb", PERCENT_MALFORMED);
}

static void what_is_decoded_must_be_text(void **state)
{
    (void)state;
    check_outcome("%00", PERCENT_NOT_TEXT);
    check_outcome("%80", PERCENT_NOT_TEXT);
    check_outcome("%c3", PERCENT_NOT_TEXT);
    check_outcome("\xff", PERCENT_NOT_TEXT);
    check_outcome("%f5%80%80%80", PERCENT_NOT_TEXT);
}

static void bytes_after_the_length_are_not_read(void **state)
{
    char out[3];
    size_t len;

    (void)state;
    assert_int_equal(percent_decode("%411", 2, out, &len), PERCENT_MALFORMED);
    assert_int_equal(percent_decode("ab%", 2, out, &len), PERCENT_TEXT);
    assert_string_equal(out, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded_and_all_else_stands),
        cmocka_unit_test(an_escape_is_two_hex_digits),
        cmocka_unit_test(what_is_decoded_must_be_text),
        cmocka_unit_test(bytes_after_the_length_are_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
