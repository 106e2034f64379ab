#include <string.h>

#include "api/negotiate.h"
#include "tests/check.h"

enum { JSON,
       PROTOBUF };

static int accept_one(const char *accept)
{
    static const struct offer offers[] = {
        {"application/json",     NULL                    },
        {"application/protobuf", "application/x-protobuf"},
    };

    return negotiate_accept(accept, offers, 2);
}

enum { PLAIN,
       OPENMETRICS };

static int accept_versioned(const char *accept)
{
    static const struct offer offers[] = {
        {"text/plain",                   NULL, "0.0.4"},
        {"application/openmetrics-text", NULL, "1.0.0"},
    };

    return negotiate_accept(accept, offers, 2);
}

static void check_accept(const char *accept, int expected)
{
    if (accept_one(accept) != expected)
        fail_msg("%s gives %d", accept, accept_one(accept));
}

/* As Prometheus 2.42 and 3.5 send it, and others. */
static void a_version_is_told_from_others(void **state)
{
    static const struct {
        const char *accept;
        int expected;
    } cases[] = {
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         OPENMETRICS                                                                             },
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,"
         "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
         "*/*;q=0.2",
         OPENMETRICS                                                                             },
        {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1",                                  PLAIN      },
        {"application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5",
         PLAIN                                                                                   },
        {"application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",            OPENMETRICS},
        {"application/openmetrics-text",                                              OPENMETRICS},
        {"application/openmetrics-text;version=2.0.0",                                -1         },
        {"application/*;version=1.0.0",                                               OPENMETRICS},
        {"text/html,*/*;q=0.8",                                                       PLAIN      },
        {NULL,                                                                        PLAIN      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (accept_versioned(cases[i].accept) != cases[i].expected)
            fail_msg("%s", cases[i].accept);
}

static void no_accept_takes_the_first_offer(void **state)
{
    (void)state;
    check_accept(NULL, JSON);
    check_accept("", JSON);
    check_accept(" , ", JSON);
    check_accept("*/*", JSON);
    check_accept("nonsense", JSON);
}

static void a_type_takes_its_offer(void **state)
{
    (void)state;
    check_accept("application/json", JSON);
    check_accept("application/protobuf", PROTOBUF);
    check_accept("application/x-protobuf", PROTOBUF);
    check_accept("Application/X-Protobuf", PROTOBUF);
    check_accept(" application/protobuf ", PROTOBUF);
    check_accept("application/*", JSON);
}

static void other_types_are_not_acceptable(void **state)
{
    (void)state;
    check_accept("text/html", -1);
    check_accept("text/*", -1);
    check_accept("application/jso", -1);
    check_accept("application/jsonp", -1);
    check_accept("application/protobuf+json", -1);
    check_accept("*/json", -1);
    check_accept("application/json;q=0", -1);
    check_accept("*/*;q=0", -1);
    check_accept("*/*;q=0.000", -1);
}

static void the_best_liked_offer_wins_and_ties_go_to_the_first(void **state)
{
    (void)state;
    check_accept("application/json;q=0.5, application/protobuf", PROTOBUF);
    check_accept("application/json;q=0.5, application/protobuf;q=0.499", JSON);
    check_accept("application/protobuf, application/json", JSON);
    check_accept("text/html, application/protobuf;q=0.1", PROTOBUF);
    check_accept("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON);
    check_accept("application/protobuf;Q=1.000, */*;q=0.9", PROTOBUF);
}

static void the_closest_range_decides_whatever_its_place(void **state)
{
    (void)state;
    check_accept("*/*, application/json;q=0", PROTOBUF);
    check_accept("application/json;q=0, */*", PROTOBUF);
    check_accept("application/*;q=0.2, */*;q=0.9, application/protobuf;q=0.1", JSON);
    check_accept("application/*;q=0, */*", -1);
    check_accept("*/*;q=1, application/*;q=0.1, application/x-protobuf;q=0.2", PROTOBUF);
    check_accept("application/json;q=0.1, application/json;q=0.9, application/protobuf;q=0.5",
                 JSON);
}

static void parameters_speak_for_a_type_only_where_nothing_else_does(void **state)
{
    (void)state;
    check_accept("application/protobuf;v=1", PROTOBUF);
    check_accept("application/protobuf; v=\"a, b;q=0\"; q=1", PROTOBUF);
    check_accept("application/json;v=2;q=0, */*", JSON);
    check_accept("application/json;v=2, application/json;q=0.1, application/protobuf;q=0.5",
                 PROTOBUF);
    check_accept("application/json;charset=utf-8;q=0.9, application/protobuf;q=0.5", JSON);
}

static void malformed_ranges_are_passed_over(void **state)
{
    (void)state;
    check_accept("application/json;q=x, application/protobuf", PROTOBUF);
    check_accept("application/json;q=1.001, application/protobuf", PROTOBUF);
    check_accept("application/json;q=0.1234, application/protobuf", PROTOBUF);
    check_accept("application/json;q=2, application/protobuf", PROTOBUF);
    check_accept("application/json;q=-1, application/protobuf", PROTOBUF);
    check_accept("application/json;;;q, application/protobuf", PROTOBUF);
    check_accept("json, /json, application/, application /json, application/protobuf", PROTOBUF);
    check_accept("text/html, image/gif, *; q=.2, */*; q=.2", JSON); /* as Java sends it */
}

static void a_content_type_is_matched_without_its_parameters(void **state)
{
    (void)state;
    assert_true(negotiate_is_type("application/json", "application/json"));
    assert_true(negotiate_is_type("Application/JSON", "application/json"));
    assert_true(negotiate_is_type(" application/json ; charset=latin1", "application/json"));
    assert_true(negotiate_is_type("application/json;", "application/json"));
    assert_false(negotiate_is_type(NULL, "application/json"));
    assert_false(negotiate_is_type("", "application/json"));
    assert_false(negotiate_is_type("application/jsonp", "application/json"));
    assert_false(negotiate_is_type("application/json, text/html", "application/json"));
}

static void if_none_match_compares_weakly(void **state)
{
    (void)state;
    assert_true(negotiate_if_none_match("\"a\"", "\"a\""));
    assert_true(negotiate_if_none_match("W/\"a\"", "\"a\""));
    assert_true(negotiate_if_none_match("\"a\"", "W/\"a\""));
    assert_true(negotiate_if_none_match("W/\"a\"", "W/\"a\""));
    assert_false(negotiate_if_none_match("\"A\"", "\"a\""));
    assert_false(negotiate_if_none_match("\"b\"", "\"a\""));
    assert_false(negotiate_if_none_match(NULL, "\"a\""));
    assert_false(negotiate_if_none_match("", "\"a\""));
}

static void if_match_compares_strongly(void **state)
{
    (void)state;
    assert_true(negotiate_if_match("\"a\"", "\"a\""));
    assert_false(negotiate_if_match("W/\"a\"", "\"a\""));
    assert_false(negotiate_if_match("\"a\"", "W/\"a\""));
    assert_false(negotiate_if_match("W/\"a\"", "W/\"a\""));
    assert_false(negotiate_if_match("\"b\"", "\"a\""));
    assert_true(negotiate_if_match("W/\"a\", \"a\"", "\"a\""));
    assert_false(negotiate_if_match(NULL, "\"a\""));
}

static void lists_are_searched_to_their_end(void **state)
{
    (void)state;
    assert_true(negotiate_if_match("\"x\", \"y\" ,,\t\"a\"", "\"a\""));
    assert_true(negotiate_if_match("\"x,\",\"a\"", "\"a\""));
    assert_true(negotiate_if_match("\"x\\\",\"a\"", "\"a\"")); /* a backslash escapes nothing */
    assert_false(negotiate_if_match("\"x\", \"y\"", "\"a\""));
    assert_false(negotiate_if_match("\"x,\"a\"", "\"a\""));
}

static void a_star_matches_whatever_there_is(void **state)
{
    (void)state;
    assert_true(negotiate_if_match("*", "\"a\""));
    assert_true(negotiate_if_match(" * ", "W/\"a\""));
    assert_true(negotiate_if_none_match("*", "\"a\""));
    assert_false(negotiate_if_match("*", NULL));
    assert_false(negotiate_if_none_match("*", NULL));
    assert_false(negotiate_if_match("\"*\"", "\"a\""));
}

static void nothing_after_a_malformed_tag_matches(void **state)
{
    (void)state;
    assert_false(negotiate_if_match("a", "\"a\""));
    assert_false(negotiate_if_match("a, \"a\"", "\"a\""));
    assert_false(negotiate_if_match("\"a", "\"a\""));
    assert_false(negotiate_if_match("w/\"a\"", "\"a\""));
    assert_false(negotiate_if_none_match("W/a", "\"a\""));
    assert_false(negotiate_if_none_match("W/", "\"a\""));
    assert_true(negotiate_if_match("\"a\", a", "\"a\""));
}

static void check_part(const char *range, uint64_t size, uint64_t first, uint64_t len)
{
    struct byte_range part = {0};

    if (negotiate_range(range, size, &part) != RANGE_PART)
        fail_msg("%s is no part of %ju", range, (uintmax_t)size);
    assert_int_equal(part.first, first);
    assert_int_equal(part.len, len);
}

static void check_range(const char *range, uint64_t size, enum range expected)
{
    struct byte_range part = {7, 8};

    if (negotiate_range(range, size, &part) != expected)
        fail_msg("%s of %ju is not %d", range ? range : "nothing", (uintmax_t)size, expected);
    assert_int_equal(part.first, 7);
    assert_int_equal(part.len, 8);
}

static void a_range_is_cut_to_the_size(void **state)
{
    (void)state;
    check_part("bytes=0-0", 10, 0, 1);
    check_part("bytes=2-5", 10, 2, 4);
    check_part("bytes=2-", 10, 2, 8);
    check_part("bytes=9-9", 10, 9, 1);
    check_part("bytes=0-10", 10, 0, 10);
    check_part("bytes=5-99999999999999999999999", 10, 5, 5);
    check_part("bytes=0-18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
    check_part("Bytes= 2-5 ", 10, 2, 4);
}

static void a_suffix_counts_from_the_end(void **state)
{
    (void)state;
    check_part("bytes=-3", 10, 7, 3);
    check_part("bytes=-10", 10, 0, 10);
    check_part("bytes=-11", 10, 0, 10);
    check_part("bytes=-99999999999999999999999", 10, 0, 10);
}

static void a_range_outside_is_unsatisfiable(void **state)
{
    (void)state;
    check_range("bytes=10-", 10, RANGE_UNSATISFIABLE);
    check_range("bytes=10-10", 10, RANGE_UNSATISFIABLE);
    check_range("bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE);
    check_range("bytes=0-", 0, RANGE_UNSATISFIABLE);
    check_range("bytes=-0", 10, RANGE_UNSATISFIABLE);
    check_range("bytes=-0", 0, RANGE_UNSATISFIABLE);
}

static void what_is_no_single_range_means_the_whole(void **state)
{
    static const char *const ranges[] = {
        "bytes=0-1,3-4",
        "bytes=0-1,",
        "bytes=,0-1",
        "bytes=",
        "bytes",
        "bytes=-",
        "bytes=1",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=a-1",
        "bytes=1-2x",
        "bytes=+1-2",
        "bytes= 1 - 2",
        "bytes=1--2",
        "bytes=--2",
        "items=0-1",
        "bytes:0-1",
        "",
        "=0-1",
        "0-1",
        "bytes =0-1",
        "bytes=0x0-1",
    };

    (void)state;
    check_range(NULL, 10, RANGE_WHOLE);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        check_range(ranges[i], 10, RANGE_WHOLE);
    check_range("bytes=-5", 0, RANGE_WHOLE);
}

static void if_range_takes_only_the_current_strong_tag(void **state)
{
    (void)state;
    assert_true(negotiate_if_range(NULL, "\"a\""));
    assert_true(negotiate_if_range("\"a\"", "\"a\""));
    assert_true(negotiate_if_range(" \"a\" ", "\"a\""));
    assert_false(negotiate_if_range("\"b\"", "\"a\""));
    assert_false(negotiate_if_range("W/\"a\"", "\"a\""));
    assert_false(negotiate_if_range("\"a\"", "W/\"a\""));
    assert_false(negotiate_if_range("\"a\", \"b\"", "\"a\""));
    assert_false(negotiate_if_range("*", "\"a\""));
    assert_false(negotiate_if_range("", "\"a\""));
    assert_false(negotiate_if_range("Tue, 15 Nov 1994 08:12:31 GMT", "\"a\""));
}

static void request_ids_are_safe_in_a_log_line(void **state)
{
    char longest[66];

    (void)state;
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_false(negotiate_is_request_id(longest));
    longest[64] = '\0';
    assert_true(negotiate_is_request_id(longest));
    assert_true(negotiate_is_request_id("Az09._-"));
    assert_false(negotiate_is_request_id(""));
    assert_false(negotiate_is_request_id("a b"));
    assert_false(negotiate_is_request_id("a\n"));
    assert_false(negotiate_is_request_id("a\"b"));
    assert_false(negotiate_is_request_id("\u00e9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_accept_takes_the_first_offer),
        cmocka_unit_test(a_version_is_told_from_others),
        cmocka_unit_test(a_type_takes_its_offer),
        cmocka_unit_test(other_types_are_not_acceptable),
        cmocka_unit_test(the_best_liked_offer_wins_and_ties_go_to_the_first),
        cmocka_unit_test(the_closest_range_decides_whatever_its_place),
        cmocka_unit_test(parameters_speak_for_a_type_only_where_nothing_else_does),
        cmocka_unit_test(malformed_ranges_are_passed_over),
        cmocka_unit_test(a_content_type_is_matched_without_its_parameters),
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(lists_are_searched_to_their_end),
        cmocka_unit_test(a_star_matches_whatever_there_is),
        cmocka_unit_test(nothing_after_a_malformed_tag_matches),
        cmocka_unit_test(a_range_is_cut_to_the_size),
        cmocka_unit_test(a_suffix_counts_from_the_end),
        cmocka_unit_test(a_range_outside_is_unsatisfiable),
        cmocka_unit_test(what_is_no_single_range_means_the_whole),
        cmocka_unit_test(if_range_takes_only_the_current_strong_tag),
        cmocka_unit_test(request_ids_are_safe_in_a_log_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
