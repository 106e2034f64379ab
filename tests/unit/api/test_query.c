#include <stdio.h>
#include <string.h>

#include "api/query.h"
#include "tests/check.h"

#define NAMES "limit after include force"

struct parsed {
    struct query query;
    struct faults faults;
    struct error err;
};

static bool parse(struct parsed *parsed, const char *string)
{
    memset(parsed, 0, sizeof *parsed);
    return query_parse(string, NAMES, &parsed->query, &parsed->faults, &parsed->err);
}

static void check_fault(const char *string, const char *pointer, const char *detail)
{
    struct parsed parsed;

    assert_true(parse(&parsed, string));
    assert_int_equal(parsed.faults.count, 1);
    assert_string_equal(parsed.faults.items[0].pointer, pointer);
    assert_string_equal(parsed.faults.items[0].detail, detail);
}

static void check_refused(const char *string)
{
    struct parsed parsed;

    assert_false(parse(&parsed, string));
    assert_int_equal(parsed.err.code, ERR_BAD_REQUEST);
}

static void nothing_is_a_query_without_parameters(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&parsed, ""));
    assert_true(parse(&parsed, "&&"));
    assert_int_equal(parsed.faults.count, 0);
    assert_int_equal(parsed.query.count, 0);
    assert_null(query_text(&parsed.query, "limit"));
}

static void values_are_read_by_name(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&parsed, "limit=5&after=a%20b%26=+c&&include"));
    assert_int_equal(parsed.faults.count, 0);
    assert_string_equal(query_text(&parsed.query, "limit"), "5");
    assert_string_equal(query_text(&parsed.query, "after"), "a b&=+c");
    assert_string_equal(query_text(&parsed.query, "include"), "");
    assert_null(query_text(&parsed.query, "force"));
}

static void names_are_decoded_too(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&parsed, "l%69mit=5"));
    assert_int_equal(parsed.faults.count, 0);
    assert_string_equal(query_text(&parsed.query, "limit"), "5");
}

static void a_name_that_the_route_does_not_take_is_a_fault(void **state)
{
    (void)state;
    check_fault("colour=1", "?colour", "unknown parameter");
    check_fault("limi=1", "?limi", "unknown parameter");
    check_fault("imit=1", "?imit", "unknown parameter");
    check_fault("limit%20after=1", "?limit after", "unknown parameter");
    check_fault("Limit=1", "?Limit", "unknown parameter");
    check_fault("=1", "?", "unknown parameter");
    check_fault("%ff=1", "?", "unknown parameter");
    check_fault("li%00mit=1", "?", "unknown parameter");
}

static void every_name_is_unknown_to_a_route_that_takes_none(void **state)
{
    struct parsed parsed = {0};

    (void)state;
    assert_true(query_parse("a=1", "", &parsed.query, &parsed.faults, &parsed.err));
    assert_int_equal(parsed.faults.count, 1);
}

static void a_name_given_twice_is_a_fault_and_the_first_value_stays(void **state)
{
    struct parsed parsed;

    (void)state;
    check_fault("limit=1&limit=1", "?limit", "is given more than once");
    assert_true(parse(&parsed, "limit=1&l%69mit=2"));
    assert_int_equal(parsed.faults.count, 1);
    assert_string_equal(query_text(&parsed.query, "limit"), "1");
}

static void a_value_must_be_text(void **state)
{
    (void)state;
    check_fault("after=%ff", "?after", "must be UTF-8 without U+0000");
    check_fault("after=a%00b", "?after", "must be UTF-8 without U+0000");
    check_fault("after=\xc3", "?after", "must be UTF-8 without U+0000");
}

static void all_faults_are_found_at_once(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&parsed, "a=1&limit=x&force=2&after=%ff"));
    query_flag(&parsed.query, "force", &parsed.faults);
    query_number(&parsed.query, "limit", 1, 10, 5, &parsed.faults);
    assert_int_equal(parsed.faults.count, 4);
    assert_false(faults_none(&parsed.faults, &parsed.err));
    assert_int_equal(parsed.err.code, ERR_INVALID);
}

static void what_no_uri_holds_is_a_bad_request(void **state)
{
    (void)state;
    check_refused("limit=%");
    check_refused("limit=%1");
    check_refused("%zz=1");
    check_refused("limit=a b");
    check_refused("limit=1#x");
    check_refused("unknown=%4");
}

static void parameters_are_bounded_in_number(void **state)
{
    auto_text struct text string = {0};
    struct parsed parsed = {0};

    (void)state;
    for (size_t i = 0; i < QUERY_PARAMETERS_MAX; i++)
        text_appends(&string, "a&");
    assert_true(query_parse(string.data, "a+", &parsed.query, &parsed.faults, &parsed.err));
    assert_int_equal(parsed.query.count, QUERY_PARAMETERS_MAX);
    text_appends(&string, "a");
    assert_false(query_parse(string.data, "a+", &parsed.query, &parsed.faults, &parsed.err));
    assert_int_equal(parsed.err.code, ERR_BAD_REQUEST);
}

static void what_may_be_repeated_is_kept_in_order(void **state)
{
    struct parsed parsed = {0};

    (void)state;
    assert_true(query_parse("label=b&limit=1&label=a", "limit label+ after", &parsed.query,
                            &parsed.faults, &parsed.err));
    assert_int_equal(parsed.faults.count, 0);
    assert_int_equal(parsed.query.count, 3);
    assert_string_equal(query_value_at(&parsed.query, 0), "b");
    assert_string_equal(query_name_at(&parsed.query, 2), "label");
    assert_string_equal(query_value_at(&parsed.query, 2), "a");
    assert_true(query_parse("label%2b=b&limit=1&limit=2", "limit label+ after", &parsed.query,
                            &parsed.faults, &parsed.err));
    assert_int_equal(parsed.faults.count, 2);
}

static void parameters_are_bounded_in_bytes(void **state)
{
    char string[QUERY_BYTES_MAX + 64] = "after=";
    size_t most = QUERY_BYTES_MAX - sizeof "after" - 1;
    struct parsed parsed;

    (void)state;
    memset(string + 6, 'x', most);
    assert_true(parse(&parsed, string));
    assert_int_equal(strlen(query_text(&parsed.query, "after")), most);
    string[6 + most] = 'x';
    check_refused(string);
}

static void a_flag_is_0_or_1(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&parsed, "force=1&include=0"));
    assert_true(query_flag(&parsed.query, "force", &parsed.faults));
    assert_false(query_flag(&parsed.query, "include", &parsed.faults));
    assert_false(query_flag(&parsed.query, "after", &parsed.faults));
    assert_int_equal(parsed.faults.count, 0);

    assert_true(parse(&parsed, "force=true&include&after=11"));
    assert_false(query_flag(&parsed.query, "force", &parsed.faults));
    assert_false(query_flag(&parsed.query, "include", &parsed.faults));
    assert_false(query_flag(&parsed.query, "after", &parsed.faults));
    assert_int_equal(parsed.faults.count, 3);
    assert_string_equal(parsed.faults.items[0].pointer, "?force");
    assert_string_equal(parsed.faults.items[0].detail, "must be 0 or 1");
}

static void check_number(const char *string, uint64_t expected, size_t faults)
{
    struct parsed parsed;

    assert_true(parse(&parsed, string));
    assert_int_equal(query_number(&parsed.query, "limit", 1, 1000, 100, &parsed.faults), expected);
    assert_int_equal(parsed.faults.count, faults);
    if (faults > 0)
        assert_string_equal(parsed.faults.items[0].detail, "must be a number from 1 to 1000");
}

static void a_number_stays_within_its_bounds(void **state)
{
    (void)state;
    check_number("", 100, 0);
    check_number("limit=1", 1, 0);
    check_number("limit=1000", 1000, 0);
    check_number("limit=007", 100, 1);
    check_number("limit=00", 100, 1);
    check_number("limit=0", 100, 1);
    check_number("limit=1001", 100, 1);
    check_number("limit=99999999999999999999999", 100, 1);
    check_number("limit=18446744073709551617", 100, 1);
    check_number("limit", 100, 1);
    check_number("limit=-1", 100, 1);
    check_number("limit=%201", 100, 1);
    check_number("limit=1x", 100, 1);
}

static void a_parsed_query_can_be_copied(void **state)
{
    struct parsed parsed;
    struct query copy;

    (void)state;
    assert_true(parse(&parsed, "limit=5"));
    copy = parsed.query;
    memset(&parsed, 0, sizeof parsed);
    assert_string_equal(query_text(&copy, "limit"), "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_query_without_parameters),
        cmocka_unit_test(values_are_read_by_name),
        cmocka_unit_test(names_are_decoded_too),
        cmocka_unit_test(a_name_that_the_route_does_not_take_is_a_fault),
        cmocka_unit_test(every_name_is_unknown_to_a_route_that_takes_none),
        cmocka_unit_test(a_name_given_twice_is_a_fault_and_the_first_value_stays),
        cmocka_unit_test(a_value_must_be_text),
        cmocka_unit_test(all_faults_are_found_at_once),
        cmocka_unit_test(what_no_uri_holds_is_a_bad_request),
        cmocka_unit_test(parameters_are_bounded_in_number),
        cmocka_unit_test(what_may_be_repeated_is_kept_in_order),
        cmocka_unit_test(parameters_are_bounded_in_bytes),
        cmocka_unit_test(a_flag_is_0_or_1),
        cmocka_unit_test(a_number_stays_within_its_bounds),
        cmocka_unit_test(a_parsed_query_can_be_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
