#include "base/text.h"
#include "tests/check.h"

static void a_zeroed_text_is_empty(void **state)
{
    struct text text = {0};

    (void)state;
    assert_string_equal(text_str(&text), "");
    assert_true(text_equals(&text, NULL, 0));
    assert_false(text_failed(&text));
    text_clear(&text);
}

static void appended_bytes_follow_each_other(void **state)
{
    auto_text struct text text = {0};

    (void)state;
    assert_true(text_append(&text, "a\0b", 3));
    assert_true(text_append(&text, NULL, 0));
    assert_true(text_appends(&text, "cd"));
    assert_true(text_appendf(&text, "%d%s", 12, "e"));
    assert_true(text_equals(&text, "a\0bcd12e", 8));
    assert_false(text_equals(&text, "a\0bcd12f", 8));
    assert_false(text_equals(&text, "a\0bcd12", 7));
    assert_int_equal(text.data[text.len], '\0');
}

static void an_empty_append_gives_an_empty_string(void **state)
{
    auto_text struct text text = {0};

    (void)state;
    assert_true(text_appends(&text, ""));
    assert_non_null(text.data);
    assert_string_equal(text.data, "");
}

static void it_grows_as_far_as_it_must(void **state)
{
    auto_text struct text text = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_true(text_appendf(&text, "%c", 'a' + i % 26));
    assert_int_equal(text.len, 5000);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(text.data[i], 'a' + i % 26);
}

static void nothing_is_added_past_the_maximum(void **state)
{
    auto_text struct text text = {.max = 4};

    (void)state;
    assert_true(text_appends(&text, "abcd"));
    assert_true(text_append(&text, "", 0));
    assert_false(text_failed(&text));
    assert_false(text_append(&text, "e", 1));
    assert_true(text_failed(&text));
    assert_false(text_append(&text, "e", (size_t)-1));
    assert_false(text_appendf(&text, "%d", 5));
    assert_false(text_reserve(&text, 1));
    assert_string_equal(text.data, "abcd");
    assert_int_equal(text.len, 4);
}

static void there_is_a_maximum_even_if_none_is_set(void **state)
{
    auto_text struct text text = {0};

    (void)state;
    assert_false(text_reserve(&text, TEXT_MAX + 1));
    assert_true(text_failed(&text));
    assert_null(text.data);
}

static void setting_replaces_what_was_there(void **state)
{
    auto_text struct text text = {.max = 4};

    (void)state;
    assert_true(text_set(&text, "abcd", 4));
    assert_true(text_set(&text, "ef", 2));
    assert_string_equal(text.data, "ef");
    assert_true(text_set(&text, NULL, 0));
    assert_string_equal(text.data, "");
}

static void a_setting_that_fails_leaves_what_was_there(void **state)
{
    auto_text struct text text = {.max = 4};

    (void)state;
    assert_true(text_set(&text, "ab", 2));
    assert_false(text_set(&text, "cdefg", 5));
    assert_true(text_equals(&text, "ab", 2));
    assert_string_equal(text_str(&text), "ab");
}

static void reserved_room_is_the_callers_to_fill(void **state)
{
    auto_text struct text text = {0};

    (void)state;
    assert_true(text_appends(&text, "ab"));
    assert_true(text_reserve(&text, 1000));
    assert_string_equal(text.data, "ab");
    memset(text.data + text.len, 'x', 1000);
    text.len += 1000;
    assert_true(text_appends(&text, "y"));
    assert_int_equal(text.len, 1003);
    assert_int_equal(text.data[1001], 'x');
    assert_string_equal(text.data + 1002, "y");
}

static void clearing_keeps_the_limit_alone(void **state)
{
    struct text text = {.max = 2};

    (void)state;
    assert_true(text_appends(&text, "ab"));
    assert_false(text_appends(&text, "c"));
    text_clear(&text);
    assert_null(text.data);
    assert_int_equal(text.len, 0);
    assert_false(text_failed(&text));
    assert_false(text_appends(&text, "abc"));
    text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_text_is_empty),
        cmocka_unit_test(appended_bytes_follow_each_other),
        cmocka_unit_test(an_empty_append_gives_an_empty_string),
        cmocka_unit_test(it_grows_as_far_as_it_must),
        cmocka_unit_test(nothing_is_added_past_the_maximum),
        cmocka_unit_test(there_is_a_maximum_even_if_none_is_set),
        cmocka_unit_test(setting_replaces_what_was_there),
        cmocka_unit_test(a_setting_that_fails_leaves_what_was_there),
        cmocka_unit_test(reserved_room_is_the_callers_to_fill),
        cmocka_unit_test(clearing_keeps_the_limit_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
