#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "codec/document.h"
#include "tests/check.h"

static bool parse(const char *json, struct document *out, struct error *err)
{
    return document_parse(json, strlen(json), out, err);
}

/* The member "n" of a document, written as an integer reads. */
static const char *integer_in(const char *json, char *out, size_t size)
{
    struct error err = {0};
    auto_document struct document document = {0};
    struct integer integer;

    assert_succeeds(parse(json, &document, &err));
    if (!document_integer(&document, json_object_get(document.root, "n"), &integer))
        snprintf(out, size, "none");
    else if (integer.huge)
        snprintf(out, size, "%shuge", integer.negative ? "-" : "");
    else
        snprintf(out, size, "%s%ju", integer.negative ? "-" : "", (uintmax_t)integer.magnitude);
    return out;
}

#define assert_integer(json, expected)                                              \
    do {                                                                            \
        char buffer_[64];                                                           \
        assert_string_equal(integer_in(json, buffer_, sizeof buffer_), (expected)); \
    } while (0)

static void numbers_are_exact_at_any_size(void **state)
{
    (void)state;
    assert_integer("{\"n\":0}", "0");
    assert_integer("{\"n\":-0}", "0");
    assert_integer("{\"n\":-1}", "-1");
    assert_integer("{\"n\":9007199254740993}", "9007199254740993");
    assert_integer("{\"n\":9223372036854775807}", "9223372036854775807");
    assert_integer("{\"n\":-9223372036854775808}", "-9223372036854775808");
    assert_integer("{\"n\":9223372036854775808}", "9223372036854775808");
    assert_integer("{\"n\":18446744073709551615}", "18446744073709551615");
    assert_integer("{\"n\":-18446744073709551615}", "-18446744073709551615");
    assert_integer("{\"n\":18446744073709551616}", "huge");
    assert_integer("{\"n\":-99999999999999999999999999999999}", "-huge");
}

static void a_long_number_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_integer("{\"a\":\"\\\"12345678901234567890\",\"b\":[18446744073709551614,1e5],"
                   "\n\t\"n\" : 18446744073709551615 }",
                   "18446744073709551615");
}

static void strings_of_digits_are_integers(void **state)
{
    (void)state;
    assert_integer("{\"n\":\"0\"}", "0");
    assert_integer("{\"n\":\"-7\"}", "-7");
    assert_integer("{\"n\":\"18446744073709551615\"}", "18446744073709551615");
    assert_integer("{\"n\":\"18446744073709551616\"}", "huge");
}

static void other_strings_are_no_integers(void **state)
{
    static const char *const strings[] = {"", "-", "-0", "+1", "01", "-01", "1 ", " 1",
                                          "0x1", "1.0", "1e3", "1\\u0000", "\xd9\xa1", "17.0"};

    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"n\":\"%s\"}", strings[i]);
        assert_integer(json, "none");
    }
}

static void reals_are_no_integers_whatever_their_value(void **state)
{
    static const char *const reals[] = {"1.0", "1e3", "1E+3", "-1.5e-3", "0.0", "0e0", "17.0",
                                        "5.00000000000000000000", "1e999", "-1e999", "1e-999",
                                        "5.000000000000000000000000e0", "100000000000000000000e1"};

    (void)state;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"n\":%s}", reals[i]);
        assert_integer(json, "none");
        snprintf(json, sizeof json, "{\"m\":18446744073709551615,\"n\":%s}", reals[i]);
        assert_integer(json, "none");
    }
}

static void other_values_are_no_integers(void **state)
{
    (void)state;
    assert_integer("{\"n\":true}", "none");
    assert_integer("{\"n\":null}", "none");
    assert_integer("{\"n\":[18446744073709551615]}", "none");
    assert_integer("{}", "none");
}

static void a_long_number_is_no_string(void **state)
{
    struct error err = {0};
    auto_document struct document document = {0};

    (void)state;
    assert_succeeds(parse("{\"n\":18446744073709551615}", &document, &err));
    assert_false(json_is_string(json_object_get(document.root, "n")));
}

static void digits_in_strings_are_left_alone(void **state)
{
    struct error err = {0};
    auto_document struct document document = {0};

    (void)state;
    assert_succeeds(parse("[\"\\\\\",\"18446744073709551615 \\\" 1.5\",18446744073709551615]",
                          &document, &err));
    assert_string_equal(json_string_value(json_array_get(document.root, 1)),
                        "18446744073709551615 \" 1.5");
}

static void malformed_text_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{}}",
        "{} {}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "nul",
        "\xef\xbb\xbf{}",
        "{\"a\":\"\n\"}",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"abc",
        "\"abc\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};
        struct document document = {0};
        assert_fails(parse(texts[i], &document, &err), ERR_MALFORMED_JSON);
        assert_null(document.root);
    }
}

/* Also where what stands beside them would have been replaced. */
static void malformed_numbers_are_refused(void **state)
{
    static const char *const numbers[] = {
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e3",
        "1e",
        "1e+",
        "--1.5",
        "-+1.5",
        "1.5.5",
        "1.5e5e5",
        "1.5e5.5",
        "01.5",
        "00.5",
        "1.5-1",
        "0x10",
        "1.5x",
        "018446744073709551615",
        "18446744073709551615.",
        "18446744073709551615e",
        "--18446744073709551615",
        "18446744073709551615-1",
        "18446744073709551615 1",
        ".18446744073709551615",
        "1..18446744073709551615",
        "NaN",
        "1_0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct error err = {0};
        struct document document = {0};
        char json[64];
        snprintf(json, sizeof json, "[%s]", numbers[i]);
        assert_fails(parse(json, &document, &err), ERR_MALFORMED_JSON);
    }
}

static void duplicate_members_are_malformed_at_any_depth(void **state)
{
    struct error err = {0};
    struct document document = {0};

    (void)state;
    assert_fails(parse("{\"a\":1,\"\\u0061\":2}", &document, &err), ERR_MALFORMED_JSON);
    assert_fails(parse("{\"b\":[{\"a\":1,\"a\":1}]}", &document, &err), ERR_MALFORMED_JSON);
}

static void invalid_utf8_is_malformed(void **state)
{
    static const char *const texts[] = {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xe2\x82\"", "{\"\x80\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};
        struct document document = {0};
        assert_fails(parse(texts[i], &document, &err), ERR_MALFORMED_JSON);
    }
}

static void malformed_text_is_reported_with_its_place(void **state)
{
    struct error err = {0};
    struct document document = {0};

    (void)state;
    assert_fails(parse("{\n  \"a\": tru\n}", &document, &err), ERR_MALFORMED_JSON);
    assert_string_equal(err.message, "malformed JSON at line 2, column 10: invalid token");
    assert_fails(parse("{\"n\":18446744073709551615,}", &document, &err), ERR_MALFORMED_JSON);
    assert_string_equal(err.message, "malformed JSON at line 1, column 27: string or '}' expected");
}

static void a_nul_byte_outside_of_strings_is_malformed(void **state)
{
    struct error err = {0};
    struct document document = {0};

    (void)state;
    assert_fails(document_parse("{}\0", 3, &document, &err), ERR_MALFORMED_JSON);
    assert_fails(document_parse("\0{}", 3, &document, &err), ERR_MALFORMED_JSON);
    assert_fails(document_parse("[true\0]", 7, &document, &err), ERR_MALFORMED_JSON);
    assert_fails(document_parse("[1\0]", 4, &document, &err), ERR_MALFORMED_JSON);
}

static void strings_may_hold_nul_but_names_may_not(void **state)
{
    struct error err = {0};
    auto_document struct document document = {0};
    struct document other = {0};

    (void)state;
    assert_succeeds(parse("[\"a\\u0000b\"]", &document, &err));
    assert_int_equal(json_string_length(json_array_get(document.root, 0)), 3);
    assert_fails(parse("{\"a\\u0000b\":1}", &other, &err), ERR_INVALID);
}

static void nesting_ends_somewhere(void **state)
{
    struct error err = {0};
    struct document document = {0};
    auto_document struct document shallow = {0};
    auto_text struct text deep = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_true(text_append(&deep, "[", 1));
    assert_fails(document_parse(deep.data, deep.len, &document, &err), ERR_MALFORMED_JSON);
    memset(deep.data + 1000, ']', 1000);
    assert_succeeds(document_parse(deep.data, 2000, &shallow, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact_at_any_size),
        cmocka_unit_test(a_long_number_is_found_wherever_it_stands),
        cmocka_unit_test(strings_of_digits_are_integers),
        cmocka_unit_test(other_strings_are_no_integers),
        cmocka_unit_test(reals_are_no_integers_whatever_their_value),
        cmocka_unit_test(other_values_are_no_integers),
        cmocka_unit_test(a_long_number_is_no_string),
        cmocka_unit_test(digits_in_strings_are_left_alone),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(malformed_numbers_are_refused),
        cmocka_unit_test(duplicate_members_are_malformed_at_any_depth),
        cmocka_unit_test(invalid_utf8_is_malformed),
        cmocka_unit_test(malformed_text_is_reported_with_its_place),
        cmocka_unit_test(a_nul_byte_outside_of_strings_is_malformed),
        cmocka_unit_test(strings_may_hold_nul_but_names_may_not),
        cmocka_unit_test(nesting_ends_somewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
