#include <string.h>

#include "api/header.h"
#include "tests/check.h"

static void check_span(struct span span, const char *expected)
{
    assert_int_equal(span.len, strlen(expected));
    assert_memory_equal(span.at, expected, span.len);
}

static void words_are_compared_whatever_their_case(void **state)
{
    (void)state;
    assert_true(span_is(span_of("Form-Data"), "form-data"));
    assert_false(span_is(span_of("form-dat"), "form-data"));
    assert_false(span_is(span_of("form-data "), "form-data"));
    assert_true(span_is(span_of(""), ""));
}

static void only_spaces_and_tabs_are_trimmed(void **state)
{
    (void)state;
    check_span(span_trim(span_of(" \t a b\t ")), "a b");
    check_span(span_trim(span_of(" \t ")), "");
    check_span(span_trim(span_of("\na")), "\na");
}

static void a_token_ends_at_the_first_delimiter(void **state)
{
    struct span rest = span_of("x!#$%&'*+-.^_`|~09/y");

    (void)state;
    check_span(header_take_token(&rest), "x!#$%&'*+-.^_`|~09");
    check_span(rest, "/y");
    check_span(header_take_token(&rest), "");
    check_span(rest, "/y");
}

static void elements_are_split_at_commas_outside_quotes(void **state)
{
    struct span rest = span_of(", a ,,b;x=\"1,\\\",2\" , c\"d,e");
    struct span element;

    (void)state;
    assert_true(header_take_element(&rest, &element));
    check_span(element, "a");
    assert_true(header_take_element(&rest, &element));
    check_span(element, "b;x=\"1,\\\",2\"");
    assert_true(header_take_element(&rest, &element));
    check_span(element, "c\"d"); /* a quote that does not end is a character like others */
    assert_true(header_take_element(&rest, &element));
    check_span(element, "e");
    assert_false(header_take_element(&rest, &element));
}

static void parameters_are_tokens_or_quoted(void **state)
{
    struct span rest = span_of(" ; a=1;; b = 2");
    struct parameter parameter;

    (void)state;
    assert_true(header_take_parameter(&rest, &parameter));
    check_span(parameter.name, "a");
    check_span(parameter.value, "1");
    assert_false(header_take_parameter(&rest, &parameter));
    assert_int_not_equal(rest.len, 0);

    rest = span_of(";b=\"x; \\\" y\" ; ");
    assert_true(header_take_parameter(&rest, &parameter));
    check_span(parameter.value, "x; \\\" y");
    assert_false(header_take_parameter(&rest, &parameter));
    assert_int_equal(rest.len, 0);
}

static void malformed_parameters_are_told_from_the_end(void **state)
{
    static const char *const malformed[] = {
        "a=1",
        ";a",
        ";a=",
        ";=1",
        ";a=\"1",
        ";a=\"1\\\"",
        ";a= 1",
        "; a=1x\"",
        "x;a=1",
    };
    struct parameter parameter;

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct span rest = span_of(malformed[i]);
        while (header_take_parameter(&rest, &parameter))
            continue;
        assert_int_not_equal(rest.len, 0);
    }
}

static void unquoting_drops_the_backslashes(void **state)
{
    char out[4];

    (void)state;
    assert_true(header_unquote(span_of("\\a\\\"\\\\"), out, sizeof out));
    assert_string_equal(out, "a\"\\");
    assert_false(header_unquote(span_of("abcd"), out, sizeof out));
    assert_true(header_unquote(span_of(""), out, 1));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_compared_whatever_their_case),
        cmocka_unit_test(only_spaces_and_tabs_are_trimmed),
        cmocka_unit_test(a_token_ends_at_the_first_delimiter),
        cmocka_unit_test(elements_are_split_at_commas_outside_quotes),
        cmocka_unit_test(parameters_are_tokens_or_quoted),
        cmocka_unit_test(malformed_parameters_are_told_from_the_end),
        cmocka_unit_test(unquoting_drops_the_backslashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
