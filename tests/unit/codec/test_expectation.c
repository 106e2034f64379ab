#include "codec/expectation.h"
#include "tests/check.h"

static bool parse(const char *json, struct expectation *out, struct faults *faults,
                  struct error *err)
{
    return expectation_from_json(json, strlen(json), out, faults, err);
}

static void members_are_read_as_given(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_expectation struct expectation one = {0};

    (void)state;
    assert_succeeds(parse("{\"architecture\":\"a\\u0000b\","
                          "\"memory_size_bytes\":18446744073709551615,"
                          "\"vp_count\":\"0\",\"page_size\":4294967295,"
                          "\"state_units\":[\"pit\",\"\",\"a\\u0000\",\"pit\"]}",
                          &one, &faults, &err));
    assert_true(one.has_architecture && text_equals(&one.architecture, "a\0b", 3));
    assert_true(one.has_memory_size && one.memory_size_bytes == UINT64_MAX);
    assert_true(one.has_vp_count && one.vp_count == 0);
    assert_true(one.has_page_size && one.page_size == UINT32_MAX);
    assert_true(one.has_state_units && one.state_unit_count == 4);
    assert_true(text_equals(&one.state_units[0], "pit", 3));
    assert_true(text_equals(&one.state_units[1], "", 0));
    assert_true(text_equals(&one.state_units[2], "a", 2));
}

static void one_member_is_enough(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    auto_expectation struct expectation units = {0};
    auto_expectation struct expectation size = {0};

    (void)state;
    assert_succeeds(parse("{\"state_units\":[]}", &units, &faults, &err));
    assert_true(units.has_state_units && !units.has_architecture);
    assert_int_equal(units.state_unit_count, 0);
    assert_succeeds(parse("{\"memory_size_bytes\":0}", &size, &faults, &err));
    assert_true(size.has_memory_size && !size.has_state_units);
}

static void no_member_is_too_few(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct expectation one = {0};

    (void)state;
    assert_fails(parse("{}", &one, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, "");
    assert_string_equal(err.message, "must have at least one member");
}

static void assert_fault(const char *json, const char *pointer, const char *detail)
{
    struct error err = {0};
    struct faults faults = {0};
    struct expectation one = {.vp_count = 9};

    assert_fails(parse(json, &one, &faults, &err), ERR_INVALID);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, pointer);
    assert_string_equal(faults.items[0].detail, detail);
    assert_int_equal(one.vp_count, 9);
}

static void bad_members_are_faults(void **state)
{
    (void)state;
    assert_fault("{\"architecture\":1}", "/architecture", "must be a string");
    assert_fault("{\"memory_size_bytes\":1e3}", "/memory_size_bytes", "must be an integer");
    assert_fault("{\"vp_count\":4294967296}", "/vp_count", "must be at most 4294967295");
    assert_fault("{\"page_size\":null}", "/page_size", "must not be null");
    assert_fault("{\"state_units\":\"pit\"}", "/state_units", "must be an array of strings");
    assert_fault("{\"state_units\":[\"a\",2,\"b\"]}", "/state_units/1", "must be a string");
    assert_fault("{\"version\":1}", "/version", "unknown member");
    assert_fault("[]", "", "must be an object");
}

static void duplicates_are_malformed(void **state)
{
    struct error err = {0};
    struct faults faults = {0};
    struct expectation one = {0};

    (void)state;
    assert_fails(parse("{\"vp_count\":1,\"vp_count\":1}", &one, &faults, &err), ERR_MALFORMED_JSON);
}

static void assert_verdict(const struct verdict *verdict, const char *json)
{
    struct error err = {0};
    auto_text struct text out = {0};

    assert_succeeds(verdict_to_json(verdict, &out, &err));
    assert_string_equal(text_str(&out), json);
}

static void a_verdict_without_mismatches_is_valid(void **state)
{
    struct verdict verdict = {0};

    (void)state;
    assert_verdict(&verdict, "{\"valid\":true,\"mismatches\":[],\"warnings\":[],\"unchecked\":[]}");
}

static void what_was_not_checked_is_named_as_in_the_request(void **state)
{
    struct verdict verdict = {0};

    (void)state;
    for (enum expect_field i = EXPECT_ARCHITECTURE; i <= EXPECT_PAGE_SIZE; i++)
        verdict.unchecked[i] = true;
    verdict.unchecked[EXPECT_STATE] = true;
    assert_verdict(&verdict,
                   "{\"valid\":true,\"mismatches\":[],\"warnings\":[],\"unchecked\":"
                   "[\"architecture\",\"memory_size_bytes\",\"vp_count\",\"page_size\","
                   "\"state_units\"]}");
}

static struct text borrow(const char *string)
{
    return (struct text){.data = (char *)string, .len = strlen(string)};
}

static void mismatches_have_both_sides_and_openvmms_words(void **state)
{
    struct mismatch miss = {
        .field = EXPECT_ARCHITECTURE,
        .is_text = true,
        .has_expected = true,
        .expected_text = borrow("aarch64"),
        .has_actual = true,
        .actual_text = borrow("x\n"),
        .message = borrow("snapshot architecture 'x\n' doesn't match expected 'aarch64'"),
    };
    struct verdict verdict = {.mismatches = &miss, .mismatch_count = 1};

    (void)state;
    assert_verdict(&verdict,
                   "{\"valid\":false,\"mismatches\":[{\"field\":\"architecture\","
                   "\"expected\":\"aarch64\",\"actual\":\"x\\n\",\"message\":\"snapshot "
                   "architecture 'x\\n' doesn't match expected 'aarch64'\"}],"
                   "\"warnings\":[],\"unchecked\":[]}");
}

static void a_side_without_a_value_is_null(void **state)
{
    struct mismatch memory = {
        .field = EXPECT_MEMORY,
        .has_expected = true,
        .expected_number = UINT64_MAX,
        .message = borrow("m"),
    };
    struct mismatch units = {
        .field = EXPECT_STATE,
        .is_text = true,
        .has_actual = true,
        .message = borrow("s"),
    };
    struct mismatch misses[] = {memory, units};
    struct verdict verdict = {.mismatches = misses, .mismatch_count = 2};

    (void)state;
    assert_verdict(&verdict,
                   "{\"valid\":false,\"mismatches\":[{\"field\":\"memory\",\"expected\":"
                   "\"18446744073709551615\",\"actual\":null,\"message\":\"m\"},{\"field\":"
                   "\"state\",\"expected\":null,\"actual\":\"\",\"message\":\"s\"}],"
                   "\"warnings\":[],\"unchecked\":[]}");
}

static void warnings_are_listed_in_order(void **state)
{
    struct text warnings[] = {borrow("one"), borrow("\"two\"")};
    struct verdict verdict = {.warnings = warnings, .warning_count = 2};

    (void)state;
    assert_verdict(&verdict, "{\"valid\":true,\"mismatches\":[],"
                             "\"warnings\":[\"one\",\"\\\"two\\\"\"],\"unchecked\":[]}");
}

static void writing_fails_where_there_is_no_room(void **state)
{
    struct error err = {0};
    struct verdict verdict = {0};
    auto_text struct text out = {.max = 20};

    (void)state;
    assert_fails(verdict_to_json(&verdict, &out, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_as_given),
        cmocka_unit_test(one_member_is_enough),
        cmocka_unit_test(no_member_is_too_few),
        cmocka_unit_test(bad_members_are_faults),
        cmocka_unit_test(duplicates_are_malformed),
        cmocka_unit_test(a_verdict_without_mismatches_is_valid),
        cmocka_unit_test(what_was_not_checked_is_named_as_in_the_request),
        cmocka_unit_test(mismatches_have_both_sides_and_openvmms_words),
        cmocka_unit_test(a_side_without_a_value_is_null),
        cmocka_unit_test(warnings_are_listed_in_order),
        cmocka_unit_test(writing_fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
