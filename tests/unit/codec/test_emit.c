#include "codec/emit.h"
#include "tests/check.h"

#define assert_emits(call, expected)                   \
    do {                                               \
        auto_text struct text out = {0};               \
        call;                                          \
        assert_false(text_failed(&out));               \
        assert_string_equal(text_str(&out), expected); \
    } while (0)

static void commas_stand_between_and_nowhere_else(void **state)
{
    auto_text struct text out = {0};

    (void)state;
    emit_raw(&out, "{");
    emit_key(&out, "a");
    emit_raw(&out, "[");
    emit_item(&out);
    emit_string(&out, "[");
    emit_item(&out);
    emit_raw(&out, "{}");
    emit_raw(&out, "]");
    emit_key(&out, "b");
    emit_bool(&out, true);
    emit_raw(&out, "}");
    assert_string_equal(text_str(&out), "{\"a\":[\"[\",{}],\"b\":true}");
}

static void strings_are_escaped_as_json_wants(void **state)
{
    (void)state;
    assert_emits(emit_string(&out, ""), "\"\"");
    assert_emits(emit_string(&out, "a/b 'c' \x7f"), "\"a/b 'c' \x7f\"");
    assert_emits(emit_string(&out, "\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    assert_emits(emit_string(&out, "\x01\x1f"), "\"\\u0001\\u001f\"");
    assert_emits(emit_text(&out, "a\0b", 3), "\"a\\u0000b\"");
}

static void unicode_stands_as_it_is(void **state)
{
    (void)state;
    assert_emits(emit_string(&out, "\u00e9\u20ac\U0001f600"), "\"\u00e9\u20ac\U0001f600\"");
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    assert_emits(emit_string(&out, "a\xff"
                                   "b"),
                 "\"a\ufffd"
                 "b\"");
    assert_emits(emit_string(&out, "\xc3"), "\"\ufffd\"");
    assert_emits(emit_string(&out, "\xed\xa0\x80"), "\"\ufffd\ufffd\ufffd\"");
    assert_emits(emit_text(&out, "\xe2\x82\xac", 2), "\"\ufffd\ufffd\"");
}

static void no_string_is_null(void **state)
{
    (void)state;
    assert_emits(emit_string(&out, NULL), "null");
}

static void integers_that_readers_round_are_strings(void **state)
{
    (void)state;
    assert_emits(emit_u64(&out, 0), "0");
    assert_emits(emit_u64(&out, 9007199254740991), "9007199254740991");
    assert_emits(emit_u64(&out, 9007199254740992), "\"9007199254740992\"");
    assert_emits(emit_u64(&out, UINT64_MAX), "\"18446744073709551615\"");
    assert_emits(emit_i64(&out, -1), "-1");
    assert_emits(emit_i64(&out, -9007199254740991), "-9007199254740991");
    assert_emits(emit_i64(&out, -9007199254740992), "\"-9007199254740992\"");
    assert_emits(emit_i64(&out, INT64_MIN), "\"-9223372036854775808\"");
    assert_emits(emit_i64(&out, INT64_MAX), "\"9223372036854775807\"");
}

static void a_text_that_is_full_is_an_error(void **state)
{
    struct error err = {0};
    auto_text struct text out = {.max = 4};

    (void)state;
    emit_raw(&out, "{");
    assert_succeeds(emit_done(&out, &err));
    emit_key(&out, "name");
    assert_fails(emit_done(&out, &err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(strings_are_escaped_as_json_wants),
        cmocka_unit_test(unicode_stands_as_it_is),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(no_string_is_null),
        cmocka_unit_test(integers_that_readers_round_are_strings),
        cmocka_unit_test(a_text_that_is_full_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
